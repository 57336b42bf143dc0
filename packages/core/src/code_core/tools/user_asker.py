"""The interface through which a tool asks the model's questions."""

from typing import Protocol

from code_core.protocol.answer_ops import UserInputResponse
from code_core.protocol.question_events import UserQuestion


class UserAsker(Protocol):
    """Asks the user."""

    async def ask(self, call_id: str, questions: list[UserQuestion]) -> UserInputResponse:
        """Return the answers, however long they take."""
        ...
