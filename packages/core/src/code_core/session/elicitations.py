"""Questions of MCP servers in flight: each goes out as an event, its answer comes in as an op."""

from itertools import count
from typing import TYPE_CHECKING

import anyio

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.tools.tool import Emit

if TYPE_CHECKING:
    import mcp_types


class _Question:
    def __init__(self, question_id: str) -> None:
        self.answered = anyio.Event()
        self.answer = ResolveElicitation(id=question_id, action="cancel")


class Elicitations:
    """Asks the user for a server while a turn runs; without one there is nobody to ask."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._questions: dict[str, _Question] = {}
        self._emit: Emit | None = None

    def begin(self, emit: Emit) -> None:
        """A turn has begun, whose events go to `emit`."""
        self._emit = emit

    def end(self) -> None:
        """The turn has ended: open questions are cancelled."""
        self._emit = None
        for question in self._questions.values():
            question.answered.set()
        self._questions.clear()

    def answer(self, op: ResolveElicitation) -> bool:
        """Answer a question; False if it is not open."""
        question = self._questions.pop(op.id, None)
        if question is None:
            return False
        question.answer = op
        question.answered.set()
        return True

    async def ask(self, server: str, params: "mcp_types.ElicitRequestParams") -> "mcp_types.ElicitResult":
        """Ask for `server`, and wait for the answer as long as it takes or the turn lasts."""
        import mcp_types

        if self._emit is None or not isinstance(params, mcp_types.ElicitRequestFormParams):
            return mcp_types.ElicitResult(action="decline")
        question_id = f"{server}-{next(self._numbers)}"
        question = self._questions[question_id] = _Question(question_id)
        request = ElicitationRequest(
            id=question_id,
            server=server,
            message=params.message,
            requested_schema=dict(params.requested_schema),
        )
        try:
            await self._emit(request)
            await question.answered.wait()
        finally:
            self._questions.pop(question_id, None)
        answer = question.answer
        content = answer.content if answer.action == "accept" else None
        return mcp_types.ElicitResult(action=answer.action, content=content)
