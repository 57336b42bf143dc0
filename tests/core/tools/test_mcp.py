"""Calls of an MCP server's tools."""

import base64
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.lowlevel
import mcp_types
import pytest

from code_core.mcp_servers.connections import ServerTool
from code_core.mcp_servers.time_limit import TimeLimit
from code_core.protocol.events import EventMsg
from code_core.protocol.items import CustomToolCall, FunctionCall, ToolCall
from code_core.protocol.mcp_events import McpInvocation, McpToolCallBegin, McpToolCallEnd, McpToolCallProgress
from code_core.protocol.policies import AskForApproval, ReviewDecision
from code_core.safety.grants import ToolGrant
from code_core.tools import mcp
from code_core.tools.approver import Review, ToolQuestion
from code_core.tools.mcp import LONGEST_DESCRIPTION, McpServerTool
from code_core.tools.mcp_call import shortened
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec
from code_mcp_client import McpClientError
from core.tools.conftest import Emitted
from support.pictures import png

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
Progress = Callable[[float, float | None, str | None], Awaitable[None]]


class Server:
    """Answers every call with `result`, after doing something."""

    name = "files"

    def __init__(
        self,
        *content: mcp_types.ContentBlock,
        is_error: bool = False,
        deed: Callable[[Progress], Awaitable[object]] | None = None,
        seconds: float = 60,
    ) -> None:
        self._result = mcp_types.CallToolResult(content=list(content), is_error=is_error)
        self._deed = deed
        self.limit = TimeLimit(seconds)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call_tool(
        self, name: str, arguments: dict[str, Any], on_progress: Progress
    ) -> mcp_types.CallToolResult:
        self.calls.append((name, arguments))
        if self._deed is not None:
            await self._deed(on_progress)
        return self._result


def text_block(text: str) -> mcp_types.TextContent:
    return mcp_types.TextContent(type="text", text=text)


def tool(server: Server, *, read_only: bool | None = None, **more: Any) -> McpServerTool:
    hints = None if read_only is None else mcp_types.ToolAnnotations(read_only_hint=read_only)
    definition = mcp_types.Tool(**({"name": "read", "input_schema": SCHEMA, "annotations": hints} | more))
    return McpServerTool("files__read", ServerTool(definition, cast("Any", server)))


def call(one: McpServerTool, context: ToolContext, arguments: str = '{"path": "x"}') -> ToolOutput:
    request = FunctionCall(name=one.name, arguments=arguments, call_id="c1")
    return anyio.run(one.call, request, context)


def test_a_tool_is_declared_as_its_server_describes_it() -> None:
    assert tool(Server(), description="Reads.", title="Reader").spec() == FunctionSpec(
        "files__read", "Reads.", SCHEMA
    )
    assert tool(Server(), title="Reader").spec().description == "Reader"
    assert tool(Server()).spec().description == ""
    assert tool(Server(), description="x" * 9_000).spec().description == "x" * LONGEST_DESCRIPTION


@pytest.mark.parametrize(("read_only", "safe"), [(True, True), (False, False), (None, False)])
def test_only_read_only_tools_run_in_parallel(read_only: bool | None, safe: bool) -> None:
    assert tool(Server(), read_only=read_only).parallel_safe is safe


@pytest.mark.parametrize(
    ("read_only", "steps"), [(True, ["called"]), (False, ["kept", "called"]), (None, ["kept", "called"])]
)
def test_files_are_kept_for_undo_before_a_tool_that_may_write_them(
    read_only: bool | None, steps: list[str], tool_context: ToolContext
) -> None:
    done: list[str] = []

    async def work(_: Progress) -> None:
        done.append("called")

    async def keep() -> None:
        done.append("kept")

    call(tool(Server(deed=work), read_only=read_only), replace(tool_context, before_command=keep))
    assert done == steps


def test_a_call_is_reported_and_answered(tool_context: ToolContext, emitted: Emitted) -> None:
    data = base64.b64encode(png()).decode()
    image = mcp_types.ImageContent(type="image", data=data, mime_type="image/png")

    async def work(_: Progress) -> None:
        await anyio.sleep(0.05)

    server = Server(text_block("é"), image, deed=work)
    output = call(tool(server), tool_context)
    assert server.calls == [("read", {"path": "x"})]
    assert (output.text, output.success, output.reported) == ("é", True, False)
    assert output.images == (f"data:image/png;base64,{data}",)
    begin, end = emitted.events
    assert isinstance(begin, McpToolCallBegin)
    assert begin.call_id == "c1"
    assert begin.invocation == McpInvocation(server="files", tool="read", arguments={"path": "x"})
    assert isinstance(end, McpToolCallEnd)
    assert (end.call_id, end.invocation) == ("c1", begin.invocation)
    assert 0.05 <= end.duration.seconds < 60
    assert end.result == {
        "Ok": {
            "content": [
                {"type": "text", "text": "é"},
                {"type": "image", "data": "", "mimeType": "image/png"},
            ],
            "isError": False,
        }
    }


@pytest.mark.parametrize(
    ("server", "text"),
    [
        (Server(text_block("no such file"), is_error=True), "err: no such file"),
        (Server(is_error=True), "err: the tool failed and gave no reason"),
    ],
)
def test_an_error_of_the_tool_is_an_answer(
    server: Server, text: str, tool_context: ToolContext, emitted: Emitted
) -> None:
    assert call(tool(server), tool_context) == ToolOutput(text, success=False)
    end = emitted.events[-1]
    assert isinstance(end, McpToolCallEnd)
    assert end.result["Ok"]["isError"] is True


@pytest.mark.parametrize("error", [McpClientError("the server has ended"), OSError("the server has ended")])
def test_an_error_of_the_server_is_an_answer(
    error: Exception, tool_context: ToolContext, emitted: Emitted
) -> None:
    async def work(_: Progress) -> None:
        raise error

    output = call(tool(Server(deed=work)), tool_context)
    assert output == ToolOutput("err: the server has ended", success=False)
    end = emitted.events[-1]
    assert isinstance(end, McpToolCallEnd)
    assert end.result == {"Err": "the server has ended"}


def test_a_call_that_takes_too_long_is_an_answer(tool_context: ToolContext) -> None:
    async def work(_: Progress) -> None:
        await anyio.sleep_forever()

    output = call(tool(Server(deed=work, seconds=0.05)), tool_context)
    assert not output.success
    assert output.text.startswith("err: ")
    assert "read" in output.text


def test_an_interrupt_is_the_end_of_the_call(tool_context: ToolContext, emitted: Emitted) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:

            async def work(_: Progress) -> None:
                scope.cancel()
                await anyio.sleep_forever()

            async def emit(msg: EventMsg) -> None:
                await anyio.lowlevel.checkpoint()
                await emitted(msg)

            one = tool(Server(deed=work))
            request = FunctionCall(name=one.name, arguments="{}", call_id="c1")
            await one.call(request, replace(tool_context, emit=emit))
        assert scope.cancelled_caught

    anyio.run(main)
    end = emitted.events[-1]
    assert isinstance(end, McpToolCallEnd)
    assert end.result == {"Err": "interrupted"}


@pytest.mark.parametrize(
    "request_",
    [
        CustomToolCall(name="files__read", input="{}", call_id="c1"),
        *(
            FunctionCall(name="files__read", arguments=arguments, call_id="c1")
            for arguments in ("nonsense", "[1]", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000, "5")
        ),
    ],
)
def test_arguments_that_are_not_an_object_are_answered(request_: ToolCall, tool_context: ToolContext) -> None:
    server = Server()
    output = anyio.run(tool(server).call, request_, tool_context)
    assert output == ToolOutput("failed to parse function arguments: not a JSON object", success=False)
    assert server.calls == []


def test_no_arguments_are_an_empty_object(tool_context: ToolContext) -> None:
    server = Server()
    call(tool(server), tool_context, "")
    assert server.calls == [("read", {})]


def test_a_long_answer_is_cut_and_saved(tool_context: ToolContext) -> None:
    text = "".join(f"{number}\n" for number in range(1_000))
    output = call(tool(Server(text_block(text))), replace(tool_context, output_limit=200))
    assert len(output.text) < 500
    assert output.text.startswith("0\n1\n")
    assert tool_context.output_file("c1").read_text() == text
    assert str(tool_context.output_file("c1")) in output.text


def test_an_answer_is_processed_in_a_thread(
    tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long one would hold up the event loop, and is saved in a file."""
    threads: list[int] = []

    def noted(text: str, call_id: str, context: ToolContext) -> str:
        threads.append(threading.get_ident())
        return shortened(text, call_id, context)

    monkeypatch.setattr(mcp, "shortened", noted)
    assert call(tool(Server(text_block("x"))), tool_context).text == "x"
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_text_that_cannot_be_encoded_is_repaired(tool_context: ToolContext) -> None:
    assert call(tool(Server(text_block("a\ud800b"))), tool_context).text == "a?b"


@pytest.fixture
def asked(tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> list[ToolQuestion]:
    """The questions, all of which are denied."""
    asked: list[ToolQuestion] = []

    async def deny(question: ToolQuestion) -> Review:
        asked.append(question)
        return Review(ReviewDecision.DENIED)

    monkeypatch.setattr(tool_context.approver, "ask", deny)
    return asked


def test_a_tool_that_may_write_needs_approval(
    tool_context: ToolContext, emitted: Emitted, asked: list[ToolQuestion]
) -> None:
    untrusted = replace(tool_context, approval_policy=AskForApproval.UNTRUSTED)
    server = Server()
    output = call(tool(server), untrusted, '{"b": "é", "a": 1}')
    assert output == ToolOutput("tool call rejected by user", success=False, reported=True)
    assert (server.calls, emitted.events) == ([], [])
    (question,) = asked
    assert question == ToolQuestion(
        "c1",
        McpInvocation(server="files", tool="read", arguments={"b": "é", "a": 1}),
        tool_context.cwd,
        "the approval policy is to ask for every tool that does more than read",
        ToolGrant("files", "read", '{"a": 1, "b": "é"}'),
    )
    call(tool(server, read_only=True), untrusted)
    call(tool(server), replace(tool_context, approval_policy=AskForApproval.ON_REQUEST))
    assert len(server.calls) == 2
    assert len(asked) == 1


def test_a_tool_allowed_for_the_session_needs_no_approval(
    tool_context: ToolContext, asked: list[ToolQuestion], monkeypatch: pytest.MonkeyPatch
) -> None:
    grants: list[tuple[Any, ...]] = []

    def approved(*given: Any) -> bool:
        grants.append(given)
        return True

    monkeypatch.setattr(tool_context.approver, "approved", approved)
    server = Server()
    assert call(tool(server), replace(tool_context, approval_policy=AskForApproval.UNTRUSTED)).success
    assert (len(server.calls), asked) == (1, [])
    assert grants == [(ToolGrant("files", "read", '{"path": "x"}'),)]


def test_progress_is_reported_at_intervals(
    tool_context: ToolContext, emitted: Emitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "PROGRESS_SECONDS", 0.125)
    clock = iter([10.0, 10.0625, 10.125, 10.25, 10.5, 11.0])
    monkeypatch.setattr(mcp, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    async def work(report: Progress) -> None:
        await report(1, 10, "first")
        await report(2, 10, "too soon")
        await report(3, None, None)
        await report(float("inf"), 10, "not a number")
        await report(4, float("nan"), "x" * 2_000)
        await report(5, 10, "last")

    call(tool(Server(deed=work)), tool_context)
    steps = [event for event in emitted.events if isinstance(event, McpToolCallProgress)]
    assert [(step.call_id, step.progress, step.total, step.message) for step in steps] == [
        ("c1", 1, 10, "first"),
        ("c1", 3, None, None),
        ("c1", 4, None, "x" * 1_000),
        ("c1", 5, 10, "last"),
    ]
    assert json.loads(steps[2].model_dump_json())["total"] is None
