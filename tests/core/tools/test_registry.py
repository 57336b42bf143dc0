"""Which tool a call finds, and what happens if there is no such tool or it fails."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.events import ExecCommandBegin, ToolCallFailed, WarningEvent
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellAction, LocalShellCall, ToolCall
from code_core.tools.registry import LONGEST_REPORT, ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from code_core.tools.tool_search import ToolSearch
from code_core.wire.tool_specs import FunctionSpec, ToolSpec
from core.tools.conftest import Emitted


class Odd:
    """A tool that raises, or begins something and answers."""

    def __init__(
        self,
        result: Exception | ToolOutput,
        *,
        name: str = "odd",
        parallel_safe: bool = False,
        emits: tuple[Any, ...] = (),
    ) -> None:
        self.name, self.parallel_safe = name, parallel_safe
        self._result, self._emits = result, emits

    def spec(self) -> ToolSpec:
        return FunctionSpec(self.name, "", {})

    async def call(self, _: ToolCall, context: ToolContext) -> ToolOutput:
        for msg in self._emits:
            await context.emit(msg)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def named(*tools: str) -> dict[str, Odd]:
    """Tools that answer with their names."""
    return {name: Odd(ToolOutput(name), name=name) for name in tools}


FAILED = ToolOutput("no", success=False)


def function(name: str = "odd", arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name=name, arguments=arguments, call_id="c")


def shell(*words: str) -> LocalShellCall:
    return LocalShellCall(call_id="c", action=LocalShellAction(command=list(words)))


def run(context: ToolContext, *tools: Odd, call: ToolCall | None = None) -> ToolOutput:
    return anyio.run(ToolRegistry(tools).call, call or function(), context)


def test_an_exception_in_a_tool_is_answered(tool_context: ToolContext) -> None:
    output = run(tool_context, Odd(ValueError("embedded null byte")))
    assert output == ToolOutput("odd failed: ValueError: embedded null byte", success=False)
    long = run(tool_context, Odd(ValueError("x" * 5_000)))
    assert len(long.text) == 2_000


def test_the_users_abort_propagates(tool_context: ToolContext) -> None:
    with pytest.raises(TurnAbandoned):
        run(tool_context, Odd(TurnAbandoned()))


def test_a_call_of_an_unknown_tool_is_answered(tool_context: ToolContext, emitted: Emitted) -> None:
    output = run(tool_context, call=function("nothing", '{"a": 1}'))
    assert output == ToolOutput("unsupported call: nothing", success=False)
    assert emitted.events == [
        ToolCallFailed(call_id="c", tool="nothing", call='{"a": 1}', message="unsupported call: nothing")
    ]


@pytest.mark.parametrize(
    ("call", "tool", "shown"),
    [
        (function(arguments="text"), "odd", "text"),
        (CustomToolCall(name="odd", input="patch", call_id="c"), "odd", "patch"),
        (shell("echo", "a b"), "shell", "echo 'a b'"),
        (function(arguments="x" * 5_000), "odd", "x" * LONGEST_REPORT),
    ],
    ids=["function", "custom", "shell", "long"],
)
def test_a_failure_before_anything_began_is_shown_to_the_user(
    tool_context: ToolContext, emitted: Emitted, call: ToolCall, tool: str, shown: str
) -> None:
    text = "y" * 5_000
    output = run(tool_context, Odd(ToolOutput(text, success=False), name=tool), call=call)
    assert output.text == text
    assert emitted.events == [
        ToolCallFailed(call_id="c", tool=tool, call=shown, message="y" * LONGEST_REPORT)
    ]


@pytest.mark.parametrize(
    ("result", "emits", "reported"),
    [
        (FAILED, (), True),
        (FAILED, (WarningEvent(message="x"),), True),
        (FAILED, (ExecCommandBegin(call_id="c", command=["x"], cwd=Path("/")),), False),
        (
            FAILED,
            (ExecCommandBegin(call_id="c", command=["x"], cwd=Path("/")), WarningEvent(message="x")),
            False,
        ),
        (ToolOutput("no", success=False, reported=True), (), False),
        (ToolOutput("yes"), (), False),
    ],
    ids=["silent", "warned", "begun", "begun and warned", "reported", "well"],
)
def test_a_failure_that_the_user_has_seen_is_not_shown_again(
    tool_context: ToolContext, emitted: Emitted, result: ToolOutput, emits: tuple[Any, ...], reported: bool
) -> None:
    assert run(tool_context, Odd(result, emits=emits)) == result
    assert emitted.events[: len(emits)] == list(emits)
    assert [event.type for event in emitted.events[len(emits) :]] == ["tool_call_failed"] * reported


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (function("shell"), "shell"),
        (function("container.exec"), "shell"),
        (shell("ls"), "shell"),
        (function("applypatch"), "apply_patch"),
        (CustomToolCall(name="apply_patch", input="", call_id="c"), "apply_patch"),
    ],
)
def test_a_tool_has_several_names(tool_context: ToolContext, call: ToolCall, found: str) -> None:
    assert run(tool_context, *named("shell", "apply_patch").values(), call=call).text == found


def test_only_calls_of_parallel_safe_and_unknown_tools_run_together() -> None:
    registry = ToolRegistry([Odd(FAILED, name="safe", parallel_safe=True), Odd(FAILED, name="alone")])
    safe = [registry.parallel_safe(function(name)) for name in ("safe", "alone", "nothing")]
    assert safe == [True, False, True]


def names(registry: ToolRegistry) -> list[str]:
    return [spec.name for spec in registry.specs()]


def test_tools_keep_their_order() -> None:
    registry = ToolRegistry([Odd(FAILED, name="b"), Odd(FAILED, name="a")])
    further = registry.with_tools([Odd(FAILED, name="c")])
    assert names(further) == ["b", "a", "c"]
    assert names(further.only("c", "b", "x")) == ["b", "c"]
    assert names(registry) == ["b", "a"]


def test_found_tools_come_last_and_all_searchable_tools_can_be_called(tool_context: ToolContext) -> None:
    search = ToolSearch(named("a", "b"), {"b": None})
    registry = ToolRegistry(named("own").values()).with_search(search)
    assert names(registry) == ["own", "search_tools", "b"]
    assert [anyio.run(registry.call, function(name), tool_context).text for name in ("a", "b", "own")] == [
        "a",
        "b",
        "own",
    ]


def test_a_tool_that_is_not_offered_can_be_called(tool_context: ToolContext) -> None:
    registry = ToolRegistry([], undeclared=named("known").get)
    for one in (registry, registry.with_tools([]), registry.with_search(ToolSearch({}, {}))):
        assert "known" not in names(one)
        assert anyio.run(one.call, function("known"), tool_context).text == "known"
