"""The tools that list and read resources of MCP servers."""

import base64
import json
import math
import threading
from dataclasses import replace
from typing import Any

import anyio
import mcp_types
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # no stubs

from code_core.mcp_servers import offers
from code_core.mcp_servers.time_limit import TimeLimit
from code_core.protocol.items import CustomToolCall, FunctionCall
from code_core.protocol.mcp_events import McpInvocation, McpResource, McpToolCallBegin
from code_core.tools import mcp_resources
from code_core.tools.mcp_call import shortened
from code_core.tools.mcp_resources import resource_tools
from code_core.tools.tool import Tool, ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec
from core.tools.conftest import Emitted
from support.pictures import png

LISTS = ("list_mcp_resources", "list_mcp_resource_templates")
KEYS = {"list_mcp_resources": "resources", "list_mcp_resource_templates": "resourceTemplates"}


class Server:
    """Offers given resources; reads any resource as a text, after a while."""

    def __init__(self, name: str, *kinds: str, seconds: float = 60, takes: float = 0) -> None:
        self.name = name
        self.offers = frozenset(kinds)
        self.limit = TimeLimit(seconds)
        self.read: list[tuple[str, float]] = []
        self._takes = takes

    def client(self) -> "Server":
        return self

    async def read_resource(
        self,
        uri: str,
        timeout: float,  # noqa: ASYNC109 - the client's signature
    ) -> mcp_types.ReadResourceResult:
        self.read.append((uri, timeout))
        await anyio.sleep(self._takes)
        return mcp_types.ReadResourceResult(
            contents=[mcp_types.TextResourceContents(uri=uri, text="é", mime_type="text/plain")]
        )


class Servers:
    def __init__(self, *servers: Server) -> None:
        self.all = list(servers)

    def server(self, name: str) -> Server | None:
        return next((one for one in self.all if one.name == name), None)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Records the queries; every list has one entry, an error and another page."""
    asked: list[Any] = []
    resource = McpResource(
        server="notes", uri="note://1", name="One", mime_type="text/plain", size=3, description="é"
    )
    template = McpResource(server="notes", uri_template="note://{id}", name="Note")

    def answer(kind: str) -> Any:
        entry = resource if kind == "resources" else template

        async def all_of(servers: list[Server]) -> offers.Offers[McpResource]:
            asked.append((kind, [one.name for one in servers]))
            return offers.Offers([entry], {"plain": "has ended"}, "unused")

        async def page_of(server: Server, cursor: str | None) -> offers.Offers[McpResource]:
            asked.append((kind, server.name, cursor))
            return offers.Offers([entry], {}, "next" if cursor is None else None)

        return all_of, page_of

    for kind, names in (
        ("resources", ("resources", "resource_page")),
        ("templates", ("templates", "template_page")),
    ):
        for name, function in zip(names, answer(kind), strict=True):
            monkeypatch.setattr(offers, name, function)
    return asked


def tools(*servers: Server) -> dict[str, Tool]:
    given: Any = Servers(*servers)
    return {tool.name: tool for tool in resource_tools(given)}


def call(tool: Tool, context: ToolContext, **arguments: Any) -> ToolOutput:
    request = FunctionCall(name=tool.name, arguments=json.dumps(arguments), call_id="c1")
    return anyio.run(tool.call, request, context)


NOTES = Server("notes", "resources", "tools")
PLAIN = Server("plain", "tools")


def test_without_resources_there_are_no_tools() -> None:
    assert tools() == tools(PLAIN) == {}
    assert list(tools(PLAIN, NOTES)) == [*LISTS, "read_mcp_resource"]
    assert all(tool.parallel_safe for tool in tools(NOTES).values())


@pytest.mark.parametrize("name", [*LISTS, "read_mcp_resource"])
def test_the_tools_declare_their_arguments(name: str) -> None:
    spec = tools(NOTES)[name].spec()
    assert isinstance(spec, FunctionSpec)
    assert (spec.name, " " in spec.description) == (name, True)
    Draft202012Validator.check_schema(spec.parameters)
    accepts = Draft202012Validator(spec.parameters).is_valid
    whole = {"server": "notes", "uri": "x"} if name.startswith("read") else {"server": "notes", "cursor": "x"}
    assert accepts(whole)
    assert not accepts([])
    assert not accepts({**whole, "another": 1})
    for one in whole:
        assert not accepts({**whole, one: 5})
        rest = {other: value for other, value in whole.items() if other != one}
        assert accepts(rest) is name.startswith("list")
        assert " " in spec.parameters["properties"][one]["description"]
    assert accepts({}) is name.startswith("list")


@pytest.mark.parametrize("name", LISTS)
def test_all_servers_are_listed(
    name: str, pages: list[Any], tool_context: ToolContext, emitted: Emitted
) -> None:
    output = call(tools(NOTES, PLAIN)[name], tool_context)
    assert output.success
    assert pages == [("resources" if name == LISTS[0] else "templates", ["notes", "plain"])]
    assert '"description":"é"' in output.text or name == LISTS[1]
    answer = json.loads(output.text)
    assert set(answer) == {KEYS[name], "errors"}
    assert answer["errors"] == {"plain": "has ended"}
    assert answer[KEYS[name]] == (
        [
            {
                "server": "notes",
                "uri": "note://1",
                "name": "One",
                "mimeType": "text/plain",
                "size": 3,
                "description": "é",
            }
        ]
        if name == LISTS[0]
        else [{"server": "notes", "uriTemplate": "note://{id}", "name": "Note"}]
    )
    begin = emitted.events[0]
    assert isinstance(begin, McpToolCallBegin)
    assert begin.call_id == "c1"
    assert begin.invocation == McpInvocation(server="all", tool=name, arguments={})


@pytest.mark.parametrize("name", LISTS)
def test_one_server_is_listed_page_by_page(
    name: str, pages: list[Any], tool_context: ToolContext, emitted: Emitted
) -> None:
    tool = tools(NOTES)[name]
    first = json.loads(call(tool, tool_context, server="notes").text)
    assert (first["server"], first["nextCursor"]) == ("notes", "next")
    second = json.loads(call(tool, tool_context, server="notes", cursor="next").text)
    assert set(second) == {"server", KEYS[name]}
    kind = "resources" if name == LISTS[0] else "templates"
    assert pages == [(kind, "notes", None), (kind, "notes", "next")]
    begin = emitted.events[2]
    assert isinstance(begin, McpToolCallBegin)
    assert begin.invocation == McpInvocation(
        server="notes", tool=name, arguments={"server": "notes", "cursor": "next"}
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_needs_its_server(name: str, tool_context: ToolContext, emitted: Emitted) -> None:
    for arguments in ({"cursor": "x"}, {"cursor": "x", "server": ""}):
        output = call(tools(NOTES)[name], tool_context, **arguments)
        assert output == ToolOutput("cursor can only be used when a server is specified", success=False)
    assert emitted.events == []


def test_a_resource_is_read(tool_context: ToolContext, emitted: Emitted) -> None:
    server = Server("notes", "resources")
    output = call(tools(server)["read_mcp_resource"], tool_context, server="notes", uri="note://1")
    assert output.success
    assert output.text == (
        '{"server":"notes","uri":"note://1","contents":[{"uri":"note://1","mimeType":"text/plain","text":"é"}]}'
    )
    assert server.read == [("note://1", math.inf)]
    begin = emitted.events[0]
    assert isinstance(begin, McpToolCallBegin)
    assert begin.call_id == "c1"
    assert begin.invocation == McpInvocation(
        server="notes", tool="read_mcp_resource", arguments={"server": "notes", "uri": "note://1"}
    )
    assert emitted.events[1].call_id == "c1"  # type: ignore[union-attr]  # its end


def test_an_image_is_shown(tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> None:
    data = base64.b64encode(png()).decode()
    server = Server("notes", "resources")

    async def read(*_arguments: Any, **_options: Any) -> mcp_types.ReadResourceResult:
        blob = mcp_types.BlobResourceContents(uri="note://picture", blob=data, mime_type="image/png")
        return mcp_types.ReadResourceResult(contents=[blob])

    monkeypatch.setattr(server, "read_resource", read)
    output = call(tools(server)["read_mcp_resource"], tool_context, server="notes", uri="note://picture")
    assert output.images == (f"data:image/png;base64,{data}",)
    assert data not in output.text


def test_a_server_that_takes_too_long_is_an_answer(tool_context: ToolContext) -> None:
    slow = Server("notes", "resources", seconds=0.05, takes=60)
    output = call(tools(slow)["read_mcp_resource"], tool_context, server="notes", uri="x")
    assert output == ToolOutput("err: resources/read did not answer within 0.05 s", success=False)


@pytest.mark.parametrize("server", ["missing", "plain"])
@pytest.mark.parametrize("name", [*LISTS, "read_mcp_resource"])
def test_a_server_without_resources_is_answered(name: str, server: str, tool_context: ToolContext) -> None:
    other = Server("other", "resources")
    more = {"uri": "x"} if name.startswith("read") else {}
    output = call(tools(NOTES, PLAIN, other)[name], tool_context, server=server, **more)
    assert output == ToolOutput(
        f"err: no MCP server '{server}' offers resources: use one of notes, other", success=False
    )


@pytest.mark.parametrize("name", [*LISTS, "read_mcp_resource"])
def test_invalid_arguments_are_answered(name: str, tool_context: ToolContext, emitted: Emitted) -> None:
    tool = tools(NOTES)[name]
    text = CustomToolCall(name=name, input="{}", call_id="c1")
    assert anyio.run(tool.call, text, tool_context) == ToolOutput(
        "failed to parse function arguments: not a JSON object", success=False
    )
    output = call(tool, tool_context, server=5)
    assert not output.success
    assert output.text.startswith("failed to parse function arguments: server: ")
    assert emitted.events == []


def test_a_long_answer_is_cut_and_saved_in_a_thread(
    tool_context: ToolContext, pages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del pages
    threads: list[int] = []

    def noted(text: str, call_id: str, context: ToolContext) -> str:
        threads.append(threading.get_ident())
        return shortened(text, call_id, context)

    monkeypatch.setattr(mcp_resources, "shortened", noted)
    short = replace(tool_context, output_limit=20)
    for name, more in ((LISTS[0], {}), ("read_mcp_resource", {"server": "notes", "uri": "x"})):
        output = call(tools(Server("notes", "resources"))[name], short, **more)
        assert str(tool_context.output_file("c1")) in output.text
    assert len(threads) == 2
    assert threading.get_ident() not in threads
