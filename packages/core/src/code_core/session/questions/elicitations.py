"""Elicitations: questions from MCP servers to the user."""

from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from code_core.protocol.events import WarningEvent
from code_core.protocol.mcp_events import ElicitationComplete, ElicitationRequest, ElicitationWithdrawn
from code_core.protocol.ops import ResolveElicitation
from code_core.session.questions.questions import Questions
from code_core.tools.tool import Emit
from code_core.view.visible import visible

if TYPE_CHECKING:
    import mcp_types


LONGEST_URL = 8_192
MOST_PAGES = 100
"""Limit on remembered pages, because servers need not report when the user is done with one."""
LONGEST_SHOWN = 200
"""Characters of a URL shown in a warning."""


class Elicitations:
    """Asks the user on behalf of a server during a turn; questions between turns are declined.

    Args:
        urls: whether the frontend can ask the user to open pages.
    """

    def __init__(self, *, urls: bool = False) -> None:
        self._urls = urls
        self._numbers = count(1)
        self._questions: Questions[ResolveElicitation] = Questions()
        self._emit: Emit | None = None
        self._pages: OrderedDict[tuple[str, str], str] = OrderedDict()

    def begin(self, emit: Emit) -> None:
        """Start a turn whose events go to `emit`."""
        self._emit = emit

    def end(self) -> None:
        """End the turn and cancel open questions."""
        self._emit = None
        self._questions.withdraw()

    def completed(self, server: str, elicitation_id: str) -> ElicitationComplete | None:
        """Return the event for a page that the server reports as completed, or None if it never asked to open it."""
        request_id = self._pages.pop((server, elicitation_id), None)
        return None if request_id is None else ElicitationComplete(id=request_id, server=server)

    def answer(self, op: ResolveElicitation) -> bool:
        """Answer a question; False if it is not open."""
        return self._questions.answer(op.id, op)

    async def ask(self, server: str, params: "mcp_types.ElicitRequestParams") -> "mcp_types.ElicitResult":
        """Ask the user for `server` and wait for the answer until the turn ends."""
        import mcp_types

        if self._emit is None:
            return mcp_types.ElicitResult(action="decline")
        if isinstance(params, mcp_types.ElicitRequestURLParams):
            return await self._open(server, params)
        properties = params.requested_schema.get("properties")
        names = [str(name) for name in properties] if isinstance(properties, dict) else []
        if hidden := [name for name in names if visible(name) != name]:
            return await self._declined(
                server, f"asked for a field whose name cannot be shown as it is: {visible(hidden[0])}"
            )
        request = ElicitationRequest(
            id=f"{server}-{next(self._numbers)}",
            server=server,
            message=params.message,
            requested_schema=dict(params.requested_schema),
        )
        return await self._ask_frontend(request)

    async def _open(
        self, server: str, params: "mcp_types.ElicitRequestURLParams"
    ) -> "mcp_types.ElicitResult":
        if not self._urls:
            return await self._declined(server, "asked to open a page, which this frontend cannot do")
        if not _can_be_opened(params.url):
            shown = visible(params.url[:LONGEST_SHOWN])
            return await self._declined(server, f"asked to open what is not a plain web address: {shown}")
        request = ElicitationRequest(
            id=f"{server}-{next(self._numbers)}",
            server=server,
            message=params.message,
            requested_schema={},
            url=params.url,
        )
        if (elicitation_id := getattr(params, "elicitation_id", None)) is not None:
            self._pages[server, elicitation_id] = request.id
            while len(self._pages) > MOST_PAGES:
                self._pages.popitem(last=False)
        return await self._ask_frontend(request)

    async def _declined(self, server: str, problem: str) -> "mcp_types.ElicitResult":
        import mcp_types

        assert self._emit is not None  # noqa: S101 - a turn is running
        await self._emit(WarningEvent(message=f"the MCP server {visible(server)} was declined: it {problem}"))
        return mcp_types.ElicitResult(action="decline")

    async def _ask_frontend(self, request: ElicitationRequest) -> "mcp_types.ElicitResult":
        import mcp_types

        assert self._emit is not None  # noqa: S101 - a turn is running
        withdrawn = ElicitationWithdrawn(id=request.id, server=request.server)
        answer = await self._questions.ask(request.id, request, self._emit, withdrawn)
        if answer is None:
            return mcp_types.ElicitResult(action="cancel")
        content = answer.content if answer.action == "accept" and request.url is None else None
        return mcp_types.ElicitResult(action=answer.action, content=content)


def _can_be_opened(url: str) -> bool:
    """Whether this is a web address with an unambiguous host: a user name could pass for one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    return plain and parts.scheme in {"https", "http"} and bool(parts.hostname) and "@" not in parts.netloc
