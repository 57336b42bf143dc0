"""What MCP servers ask the user."""

from itertools import count
from typing import TYPE_CHECKING

from code_core.protocol.events import WarningEvent
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.session.questions import Questions
from code_core.tools.tool import Emit
from code_core.view.visible import visible

if TYPE_CHECKING:
    import mcp_types


class Elicitations:
    """Asks the user for a server while a turn runs; without one there is nobody to ask."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._questions: Questions[ResolveElicitation] = Questions()
        self._emit: Emit | None = None

    def begin(self, emit: Emit) -> None:
        """A turn has begun, whose events go to `emit`."""
        self._emit = emit

    def end(self) -> None:
        """The turn has ended: open questions are cancelled."""
        self._emit = None
        self._questions.withdraw()

    def answer(self, op: ResolveElicitation) -> bool:
        """Answer a question; False if it is not open."""
        return self._questions.answer(op.id, op)

    async def ask(self, server: str, params: "mcp_types.ElicitRequestParams") -> "mcp_types.ElicitResult":
        """Ask for `server`, and wait for the answer as long as it takes or the turn lasts."""
        import mcp_types

        if self._emit is None or not isinstance(params, mcp_types.ElicitRequestFormParams):
            return mcp_types.ElicitResult(action="decline")
        properties = params.requested_schema.get("properties")
        names = [str(name) for name in properties] if isinstance(properties, dict) else []
        if hidden := [name for name in names if visible(name) != name]:
            problem = f"asked for a field whose name cannot be shown as it is: {visible(hidden[0])}"
            await self._emit(
                WarningEvent(message=f"the MCP server {visible(server)} was declined: it {problem}")
            )
            return mcp_types.ElicitResult(action="decline")
        request = ElicitationRequest(
            id=f"{server}-{next(self._numbers)}",
            server=server,
            message=params.message,
            requested_schema=dict(params.requested_schema),
        )
        answer = await self._questions.ask(request.id, request, self._emit)
        if answer is None:
            return mcp_types.ElicitResult(action="cancel")
        content = answer.content if answer.action == "accept" else None
        return mcp_types.ElicitResult(action=answer.action, content=content)
