"""Resources and prompts of MCP servers: for the model as tools, for frontends as lists."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from code_core.protocol.ops import (
    GetMcpPrompt,
    ImageInput,
    ListMcpPrompts,
    ListMcpResources,
    ListMcpTools,
    TextInput,
    UserInput,
)
from core.session.conversing import BYE, Frontend, after
from support import responses_events as sse

TESTS = str(Path(__file__).parents[2])
GO = UserInput(items=[TextInput(text="go")])
Converse = Callable[..., None]
Script = Callable[[Frontend], Awaitable[None]]


def server(module: str = "offers", *arguments: str, **more: Any) -> dict[str, Any]:
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"}
    program = ["-S", "-m", f"mcp_client.servers.{module}", *arguments]
    return {"command": sys.executable, "args": program, "env": environment, **more}


def called(tool: str, arguments: Any = None) -> list[dict[str, Any]]:
    return [sse.function_call(tool, arguments or {}, "c1"), sse.completed()]


@pytest.fixture
def offered(converse: Converse) -> Converse:
    """A conversation with the server `notes`."""

    def run(script: Script, *responses: Any, **more: Any) -> None:
        servers = {"notes": server(), "plain": server("listed", "one")}
        converse(script, *responses, settings=(("mcp_servers", more.get("servers", servers)),))

    return run


def output(frontend_end: Any) -> Any:
    return json.loads(frontend_end.text)


async def a_turn(frontend: Frontend) -> Any:
    await frontend.send(GO)
    end = await frontend.until("mcp_tool_call_end")
    await frontend.until("task_complete")
    return end


def test_the_model_lists_the_resources_of_all_servers(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        end = await a_turn(frontend)
        assert (end.invocation.server, end.invocation.tool) == ("all", "list_mcp_resources")
        answer = output(end)
        assert [one["uri"] for one in answer["resources"]] == [
            "note://one",
            "note://picture",
            "note://odd\u202euri",
        ]
        assert answer["resources"][0] == {
            "server": "notes",
            "uri": "note://one",
            "name": "One",
            "description": "The first",
            "mimeType": "text/plain",
            "size": 3,
        }
        assert answer["resources"][1]["name"] == "note://picture"
        assert "errors" not in answer

    offered(script, called("list_mcp_resources"), after("note://one"))


def test_the_model_pages_through_one_server(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        answer = output(await a_turn(frontend))
        assert answer["server"] == "notes"
        assert [one["uri"] for one in answer["resources"]] == ["note://picture"]
        assert answer["nextCursor"] == "4"

    offered(script, called("list_mcp_resources", {"server": "notes", "cursor": "2"}), after("nextCursor"))


def test_the_model_lists_templates(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        assert output(await a_turn(frontend)) == {
            "resourceTemplates": [{"server": "notes", "uriTemplate": "note://{name}", "name": "Notes"}]
        }

    offered(script, called("list_mcp_resource_templates"), after("uriTemplate"))


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("note://one", {"uri": "note://one", "mimeType": "text/plain", "text": "first"}),
        ("note://picture", {"uri": "note://picture", "mimeType": "image/png", "shown": "as image 1"}),
        ("note://binary", {"uri": "note://binary", "omitted": "binary data, 3,000 bytes"}),
    ],
)
def test_the_model_reads_a_resource_and_gets_no_binary_text(
    offered: Converse, uri: str, part: dict[str, str]
) -> None:
    async def script(frontend: Frontend) -> None:
        assert output(await a_turn(frontend)) == {"server": "notes", "uri": uri, "contents": [part]}

    image = [{"contains": "data:image/png;base64,"}] if "shown" in part else []
    expect = [{"contains": uri}, *image]
    offered(
        script,
        called("read_mcp_resource", {"server": "notes", "uri": uri}),
        {"expect": expect, "stream": BYE},
    )


def test_a_large_resource_is_cut_for_the_model(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        assert len((await a_turn(frontend)).text) < 50_000

    offered(
        script, called("read_mcp_resource", {"server": "notes", "uri": "note://large"}), after("bytes cut of")
    )


@pytest.mark.parametrize(
    ("tool", "arguments", "answer"),
    [
        ("read_mcp_resource", {"server": "notes", "uri": "note://none"}, "no such resource"),
        (
            "read_mcp_resource",
            {"server": "plain", "uri": "x"},
            "no MCP server 'plain' offers resources: use one of notes",
        ),
        ("read_mcp_resource", {"uri": "x"}, "server: Field required"),
        ("list_mcp_resources", {"cursor": "x"}, "cursor can only be used when a server is specified"),
    ],
)
def test_an_unreadable_resource_is_reported_to_the_model(
    offered: Converse, tool: str, arguments: dict[str, str], answer: str
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        await frontend.until("task_complete")

    offered(script, called(tool, arguments), after(answer))


def test_without_resources_there_are_no_resource_tools(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        await frontend.until("task_complete")

    offered(
        script,
        called("list_mcp_resources"),
        after("unsupported call"),
        servers={"plain": server("listed", "one")},
    )


def test_frontends_list_resources_and_prompts(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(ListMcpResources())
        resources = await frontend.until("mcp_list_resources_response")
        assert [one.uri for one in resources.resources][:2] == ["note://one", "note://picture"]
        assert [one.uri_template for one in resources.templates] == ["note://{name}"]
        await frontend.send(ListMcpPrompts())
        [greet, other] = (await frontend.until("mcp_list_prompts_response")).prompts
        assert (greet.server, greet.name, other.name) == ("notes", "greet", "two words!")
        assert [(one.name, one.required) for one in greet.arguments] == [("who", True), ("how", False)]

    offered(script)


def test_frontends_get_a_prompt_as_input(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GetMcpPrompt(server="notes", name="greet", arguments={"who": "Ada"}))
        response = await frontend.until("mcp_get_prompt_response")
        assert response.error is None
        first, second, image = response.items
        assert first == TextInput(text='Greet: {"who": "Ada"}')
        assert second == TextInput(text="(the assistant:) How?")
        assert isinstance(image, ImageInput)
        for server_name, name, why in (
            ("notes", "none", "no such prompt"),
            ("notes", "empty", "the prompt is empty"),
            ("nowhere", "greet", "MCP server 'nowhere' not found"),
        ):
            await frontend.send(GetMcpPrompt(server=server_name, name=name))
            assert why in (await frontend.until("mcp_get_prompt_response")).error

    offered(script)


def test_a_storm_of_announcements_is_reported_once(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        changed = await frontend.until("mcp_offers_changed")
        assert (changed.server, changed.kinds) == ("notes", ["prompts", "resources"])
        await frontend.send(ListMcpPrompts())
        prompts = await frontend.until("mcp_list_prompts_response")
        assert [one.name for one in prompts.prompts] == ["greet", "two words!", "new"]
        assert frontend.kinds.count("mcp_offers_changed") == 1

    offered(script, called("notes__grow"), after("grown"))


def test_resource_tools_are_found_like_server_tools(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        await frontend.until("task_complete")

    nothing = called("search_tools", {"query": "zzz"})
    search = after(
        "from notes (1), resources (3)",
        stream=[sse.function_call("search_tools", {"query": "list resources"}, "c2"), sse.completed()],
    )
    found = after(
        "list_mcp_resources: ",
        call_id="c2",
        stream=[sse.function_call("list_mcp_resources", {}, "c3"), sse.completed()],
    )
    listed = after("note://one", call_id="c3")
    servers = (("mcp_servers", {"notes": server()}), ("mcp_tools_share", 0.0))
    converse(script, nothing, search, found, listed, settings=servers)


def test_a_list_of_huge_tools_arrives_shortened(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(ListMcpTools())
        tools = (await frontend.until("mcp_list_tools_response")).tools
        assert tools["huge__small"].input_schema == {
            "type": "object",
            "properties": {"a": {"type": "string"}},
        }
        assert tools["huge__large"].input_schema == {"type": "object"}
        assert tools["huge__large"].description == "d" * 1_000
        assert len(str(tools["huge__medium0"].input_schema)) > 200_000
        assert tools["huge__medium9"].input_schema == {"type": "object"}

    offered(script, servers={"huge": server("huge")})


def test_a_large_error_message_is_cut_for_the_model(offered: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        end = await a_turn(frontend)
        assert end.text.startswith("tools/call failed: eee")
        assert end.text.endswith("… (8,388,608 characters) (JSON-RPC error 1)")
        assert len(end.text) < 4_100

    offered(script, called("huge__small"), after("8,388,608 characters"), servers={"huge": server("huge")})


@pytest.mark.parametrize("arguments", [(), ("declares",)])
def test_a_server_without_tools_is_not_a_failure(offered: Converse, arguments: tuple[str, ...]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(ListMcpPrompts())
        prompts = await frontend.until("mcp_list_prompts_response")
        assert ([one.name for one in prompts.prompts], prompts.errors) == (["one"], {})
        warnings = [one.msg.message for one in frontend.seen if one.msg.type == "warning"]
        shown = ["MCP server 'bare': it declares tools, but does not list any"] if arguments else []
        assert warnings in ([], shown)  # which may come later

    offered(script, servers={"bare": server("toolless", *arguments)})
