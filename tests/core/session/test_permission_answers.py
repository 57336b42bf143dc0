"""What a permission tool gets, and which of its answers decide."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types
import pytest

from code_core.acp.permissions import permission_request
from code_core.config.schema.servers import ClientToolTable
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.policies import ReviewDecision
from code_core.session.questions.permission_tool import PermissionTool, structured_answer
from code_mcp_client import McpClientError

PERMIT = ClientToolTable(mcp_server="ide", tool_name="permit")
REQUEST = ExecApprovalRequest(call_id="c", approval_id="a", command=["make"], cwd=Path("/work"))
YES = {"outcome": {"outcome": "selected", "optionId": "approved"}}


class Servers:
    """Servers of an editor with one tool, which answers, fails or is missing."""

    def __init__(self, answer: mcp_types.CallToolResult | Exception | None) -> None:
        self._answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def client_tool(self, wanted: ClientToolTable) -> Any:
        if self._answer is None:
            return None
        return SimpleNamespace(host=self, definition=SimpleNamespace(name=wanted.tool_name))

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> mcp_types.CallToolResult:
        self.calls.append((name, arguments))
        match self._answer:
            case mcp_types.CallToolResult():
                return self._answer
            case Exception():
                raise self._answer
            case None:
                raise AssertionError


def result(structured: Any = None, *texts: str, is_error: bool = False) -> mcp_types.CallToolResult:
    content: list[Any] = [mcp_types.TextContent(text=text) for text in texts]
    return mcp_types.CallToolResult(content=content, structured_content=structured, is_error=is_error)


def asked(answer: mcp_types.CallToolResult | Exception | None) -> ReviewDecision | None:
    servers: Any = Servers(answer)
    decision = anyio.run(PermissionTool("session", servers, PERMIT).ask, REQUEST)
    if answer is not None:
        assert servers.calls == [("permit", permission_request("session", REQUEST))]
    return decision


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (result(YES), ReviewDecision.APPROVED),
        (result({"outcome": {"outcome": "selected", "optionId": "denied"}}), ReviewDecision.DENIED),
        (result(YES, is_error=True), None),
        (result({"outcome": "yes"}), None),
        (McpClientError("gone"), None),
        (OSError("broken pipe"), None),
        (None, None),
    ],
)
def test_only_a_clear_answer_decides(
    answer: mcp_types.CallToolResult | Exception | None, decision: ReviewDecision | None
) -> None:
    assert asked(answer) is decision


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (result({"a": 1}, '{"b": 2}'), {"a": 1}),
        (result(None, '{"a": ', "1}"), {"a": 1}),
        (result(None, "yes"), None),
        (result(None), None),
        (result(None, "[" * 200_000), None),
    ],
)
def test_an_answer_is_structured_or_a_text_in_json(given: mcp_types.CallToolResult, answer: object) -> None:
    assert structured_answer(given) == answer


def test_images_in_an_answer_are_ignored() -> None:
    picture = mcp_types.ImageContent(data="AA==", mime_type="image/png")
    mixed = mcp_types.CallToolResult(content=[picture, mcp_types.TextContent(text="[1]")])
    assert structured_answer(mixed) == [1]
