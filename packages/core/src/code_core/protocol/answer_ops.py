"""Operations that answer the model's questions and its proposed plans."""

from typing import Literal

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import Text


class ResolvePlan(ProtocolModel):
    """Answer a `plan_proposed`: `accept` ends plan mode and starts the work, `revise` asks for another plan.

    Attributes:
        id: the plan's id.
        action: `reject` starts nothing, and plan mode stays on.
        feedback: the user's comments on the plan, for the model.
    """

    type: Literal["resolve_plan"] = "resolve_plan"
    id: Text
    action: Literal["accept", "revise", "reject"]
    feedback: Text | None = None


class UserAnswers(ProtocolModel):
    """The user's answers to one question: option labels or free text."""

    answers: list[Text]


class UserInputResponse(ProtocolModel):
    """Answers by question id; a question without an entry was not answered."""

    answers: dict[Text, UserAnswers] = {}


class UserInputAnswer(ProtocolModel):
    """Answer a `request_user_input`; `id` is its `request_id`."""

    type: Literal["user_input_answer"] = "user_input_answer"
    id: Text
    response: UserInputResponse
