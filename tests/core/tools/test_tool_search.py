"""MCP servers with too many tools to declare."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.journal import MemoryJournal
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.tools.tool_search import ToolSearch, deferred
from code_core.wire.response_events import ItemDone
from code_core.wire.responses import request_body
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, WebSearchSpec
from core.session.scripted import (
    Reading,
    ScriptedModel,
    Step,
    answer,
    completed,
    converse,
    event_order,
    scripted_config,
    scripted_conversation,
    text,
)

SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "description": "Where it is."}}}


class Remote:
    """A tool of a server."""

    parallel_safe = True

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self._description = description
        self.calls = 0

    def spec(self) -> FunctionSpec:
        return FunctionSpec(self.name, self._description, SCHEMA)

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        self.calls += 1
        return ToolOutput(f"{self.name} did it")


def many(count: int = 200) -> list[Remote]:
    verbs = ("create", "list", "close", "merge")
    return [
        Remote(
            f"hub{number % 7}__{verbs[number % 4]}_thing_{number}",
            f"Does thing {number} to an issue or a branch.",
        )
        for number in range(count)
    ]


def search(*tools: Remote) -> ToolSearch:
    return ToolSearch({tool.name: tool for tool in tools}, {})


def found(one: ToolSearch, query: str, tool_context: ToolContext, **more: Any) -> list[str]:
    call = FunctionCall(name="search_tools", arguments=json.dumps({"query": query, **more}), call_id="c")
    output = anyio.run(one.call, call, tool_context)
    assert output.success
    return [line.partition(": ")[0] for line in output.text.split("\n")[1:]]


def test_a_name_counts_more_than_a_description_and_a_whole_word_more_than_a_beginning(
    tool_context: ToolContext,
) -> None:
    one = search(
        Remote("a__misc", "Merges a branch."),
        Remote("b__merge_branch", "Joins."),
        Remote("c__branches", "Lists."),
    )
    assert found(one, "merge branch", tool_context) == ["b__merge_branch", "a__misc", "c__branches"]
    assert found(one, "c__branches", tool_context) == ["c__branches"]
    assert found(one, "merge branch", tool_context, limit=1) == ["b__merge_branch"]
    assert [tool.name for tool in one.declared] == ["b__merge_branch", "a__misc", "c__branches"]


def test_the_beginning_of_a_name_counts_more_than_a_word_of_a_description(tool_context: ToolContext) -> None:
    one = search(Remote("z__merger", "Joins."), Remote("a__join", "Can merge."))
    assert found(one, "merge", tool_context) == ["z__merger", "a__join"]


def test_equal_matches_are_sorted_by_name(tool_context: ToolContext) -> None:
    one = search(Remote("b__x", "Merge."), Remote("a__x", "Merge."))
    assert found(one, "merge", tool_context) == ["a__x", "b__x"]


class Plain(Remote):
    """A tool of another kind."""

    def __init__(self, spec: FreeformSpec | WebSearchSpec) -> None:
        super().__init__(spec.name, "")
        self._spec: Any = spec

    def spec(self) -> Any:
        return self._spec


def test_tools_of_every_kind_can_be_found(tool_context: ToolContext) -> None:
    text = Plain(FreeformSpec("write", "Writes\n a poem.", "start: LINE", ""))
    one = search(text, Plain(WebSearchSpec("look")), Remote("long", "Poem " * 100))
    call = FunctionCall(name="search_tools", arguments='{"query": "write"}', call_id="c")
    assert anyio.run(one.call, call, tool_context).text == "You can call these now:\nwrite: Writes a poem."
    call = FunctionCall(name="search_tools", arguments='{"query": "look"}', call_id="c")
    assert anyio.run(one.call, call, tool_context).text == "You can call these now:\nlook: "
    assert found(one, "poem", tool_context) == ["long", "write"]


@pytest.mark.parametrize(
    "tool",
    [
        Plain(FreeformSpec("n" * 3, "d" * 2, "g" * 7, "")),
        Plain(WebSearchSpec("s" * 12)),
    ],
)
def test_tools_of_every_kind_count_towards_the_share(tool: Remote) -> None:
    assert not deferred([tool], 1, 3)
    assert deferred([tool], 0.99, 3)


def test_without_a_match_the_servers_are_listed(tool_context: ToolContext) -> None:
    one = search(*many(3), Remote("read_mcp_resource", ""))
    call = FunctionCall(name="search_tools", arguments='{"query": "zzz"}', call_id="c")
    output = anyio.run(one.call, call, tool_context)
    assert output.text == (
        "no tool matches; 4 tools are available, from hub0 (1), hub1 (1), hub2 (1), resources (1)"
    )
    assert one.declared == []


@pytest.mark.parametrize("arguments", ["{}", '{"query": 5}', '{"query": "x", "limit": 0}', "nonsense"])
def test_invalid_arguments_are_answered(arguments: str, tool_context: ToolContext) -> None:
    call = FunctionCall(name="search_tools", arguments=arguments, call_id="c")
    assert not anyio.run(search(*many(3)).call, call, tool_context).success


def test_the_share_of_the_window_determines_whether_tools_are_searched() -> None:
    tools = many(10)
    size = sum(len(tool.name) + len(tool.spec().description) + len(json.dumps(SCHEMA)) for tool in tools)
    assert not deferred(tools, 1, size // 4 + 1)
    assert deferred(tools, 1, size // 4 - 1)
    assert deferred(tools, 0, None)
    assert not deferred([], 0, None)


def calling(name: str, call_id: str, **arguments: str) -> list[Step]:
    call = FunctionCall(name=name, arguments=json.dumps(arguments), call_id=call_id)
    return [ItemDone(call, event_order()), completed()]


def with_servers(config: Config, model: ScriptedModel, tools: list[Remote], **more: Any) -> Any:
    conversation = scripted_conversation(config, model, **more)

    class Servers:
        async def connect(self, *_: object) -> None: ...

        async def tools(self, *_: object) -> list[Remote]:
            return tools

        async def aclose(self) -> None: ...

    servers: Any = Servers()
    conversation.session.services = replace(conversation.session.services, servers=servers)
    return conversation


def declared(model: ScriptedModel, request: int) -> list[str]:
    return [tool.get("name", tool["type"]) for tool in request_body(model.prompts[request])["tools"]]


def test_a_session_searches_calls_and_remembers(tmp_path: Path) -> None:
    config = scripted_config(tmp_path)
    tools = many()
    wanted = tools[42]
    journal = MemoryJournal()

    async def once(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"

    model = ScriptedModel(
        calling("search_tools", "c1", query="thing 42"),
        calling(wanted.name, "c2", path="x"),
        calling(tools[7].name, "c3", path="x"),  # remembered, though not declared
        answer("bye"),
    )
    converse(with_servers(config, model, tools, parts=Parts(journal=journal)), once)
    assert (wanted.calls, tools[7].calls) == (1, 1)
    before, after = declared(model, 0), declared(model, 1)
    assert before[-1] == "search_tools"
    assert after[: len(before)] == before
    assert wanted.name in after
    sizes = [len(json.dumps(request_body(prompt))) for prompt in model.prompts]

    bare = ScriptedModel(answer("bye"))
    converse(scripted_conversation(config, bare), once)
    assert sizes[0] - len(json.dumps(request_body(bare.prompts[0]))) <= 2_000

    again = ScriptedModel(answer("bye"))
    state = SessionState.from_entries(journal.entries)
    converse(with_servers(config, again, tools, state=state), once)
    assert declared(again, 0)[-2:] == [wanted.name, tools[7].name]
