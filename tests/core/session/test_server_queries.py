"""The answers to frontends' questions about MCP servers."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types
import pytest
from pydantic_core import to_json

from code_core.mcp_servers import offers
from code_core.mcp_servers.offers import Offers
from code_core.protocol.mcp_events import (
    McpGetPromptResponse,
    McpListPromptsResponse,
    McpListResourcesResponse,
    McpListToolsResponse,
    McpPrompt,
    McpResource,
    McpTool,
)
from code_core.protocol.ops import GetMcpPrompt, ListMcpPrompts, ListMcpResources, ListMcpTools, TextInput
from code_core.session.servers import queries
from code_core.session.servers.queries import answer
from code_mcp_client import McpClientError

ANY_OBJECT = {"type": "object"}


class Server:
    """Returns one prompt, within its limit. See `Server` of `code_core.mcp_servers`."""

    def __init__(self, *messages: str, problem: str | None = None) -> None:
        self.messages, self.problem = messages, problem
        self.limit = self
        self.limited: str | None = None

    @contextmanager
    def call(self, method: str) -> Iterator[None]:
        self.limited = method
        try:
            yield
        finally:
            self.limited = None

    def client(self) -> "Server":
        return self

    async def get_prompt(self, name: str, arguments: Mapping[str, str], **limit: float) -> Any:
        assert (self.limited, limit["timeout"]) == ("prompts/get", math.inf)
        if self.problem is not None:
            raise McpClientError(self.problem)
        texts = [text.format(name, **arguments) for text in self.messages]
        content = [mcp_types.TextContent(type="text", text=text) for text in texts]
        messages = [mcp_types.PromptMessage(role="user", content=one) for one in content]
        return mcp_types.GetPromptResult(messages=messages)


def asked(query: Any, servers: Any = None) -> Any:
    return anyio.run(answer, query, servers)


@pytest.mark.parametrize(
    ("query", "response"),
    [
        (ListMcpTools(), McpListToolsResponse(tools={})),
        (ListMcpResources(), McpListResourcesResponse(resources=[], templates=[])),
        (ListMcpPrompts(), McpListPromptsResponse(prompts=[])),
        (
            GetMcpPrompt(server="a", name="p"),
            McpGetPromptResponse(server="a", name="p", error="MCP server 'a' not found"),
        ),
    ],
)
def test_without_servers_every_list_is_empty(query: Any, response: Any) -> None:
    assert asked(query) == response


def test_lists_report_servers_that_could_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = SimpleNamespace(all=["a", "b"])
    book, shelf = (McpResource(server="a", name=name) for name in ("book", "shelf"))
    prompt = McpPrompt(server="a", name="p")
    lists: dict[str, Offers[Any]] = {
        "resources": Offers([book], {"b": "it has ended"}),
        "templates": Offers([shelf], {"c": "no answer"}),
        "prompts": Offers([prompt], {"d": "too many"}),
    }
    for kind, listed in lists.items():

        async def listing(given: object, listed: Offers[Any] = listed) -> Offers[Any]:
            assert given is servers.all
            return listed

        monkeypatch.setattr(offers, kind, listing)
    assert asked(ListMcpResources(), servers) == McpListResourcesResponse(
        resources=[book], templates=[shelf], errors={"b": "it has ended", "c": "no answer"}
    )
    assert asked(ListMcpPrompts(), servers) == McpListPromptsResponse(
        prompts=[prompt], errors={"d": "too many"}
    )


@pytest.mark.parametrize(
    ("server", "result"),
    [
        (Server("{0} for {who}", "and {who}"), {"items": [TextInput(text=t) for t in ("p for Ada", "and Ada")]}),
        (Server(), {"error": "the prompt is empty"}),
        (Server(problem="it has ended"), {"error": "it has ended"}),
    ],
)  # fmt: skip
def test_a_prompt_is_filled_in_by_its_server(server: Server, result: dict[str, Any]) -> None:
    query = GetMcpPrompt(server="a", name="p", arguments={"who": "Ada"})
    servers = SimpleNamespace(server={"a": server}.get)
    assert asked(query, servers) == McpGetPromptResponse(server="a", name="p", **result)
    assert server.limited is None


def tool(size: int, description: str | None = None) -> Any:
    """A tool whose schema and description together have `size` bytes."""
    schema = {"title": ""}
    missing = size - len(to_json(schema)) - len(description or "")
    definition = mcp_types.Tool(name="t", description=description, input_schema={"title": "x" * missing})
    return SimpleNamespace(server="a", definition=definition)


@pytest.mark.parametrize(
    ("tools", "shortened"),
    [
        ([tool(100)], []),
        ([tool(100, "what it does")], []),
        ([tool(101)], [0]),
        ([tool(101, "what it does")], [0]),
        ([tool(100), tool(100), tool(50)], []),
        ([tool(100), tool(100), tool(51), tool(30)], [2]),
        ([tool(101), tool(100), tool(100), tool(40)], [0, 3]),
    ],
)
def test_schemas_that_make_the_list_of_tools_too_large_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tools: list[Any], shortened: list[int]
) -> None:
    monkeypatch.setattr(queries, "LONGEST_TOOL", 100)
    monkeypatch.setattr(queries, "LONGEST_LIST", 250)
    monkeypatch.setattr(queries, "LONGEST_DESCRIPTION", 20)
    servers = SimpleNamespace(tools={f"a__{number}": one for number, one in enumerate(tools)})
    listed = asked(ListMcpTools(), servers).tools
    assert listed == {
        f"a__{number}": McpTool(
            server="a",
            name="t",
            description=one.definition.description,
            input_schema=ANY_OBJECT if number in shortened else one.definition.input_schema,
        )
        for number, one in enumerate(tools)
    }


def test_the_description_of_a_huge_tool_is_cut() -> None:
    servers = SimpleNamespace(tools={"a__t": tool(queries.LONGEST_TOOL + 1, "d" * 2_000)})
    assert asked(ListMcpTools(), servers).tools["a__t"].description == "d" * 1_000
