"""What is recorded, reported and closed when a task is stopped, at any point."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.events import ExecCommandBegin
from code_core.protocol.items import FunctionCallOutput, ToolCall
from code_core.protocol.ops import ExecApproval, Interrupt, Shutdown
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant
from code_core.session.conversation import Conversation
from code_core.session.history import history as conversation_history
from code_core.session.parts import Parts
from code_core.store.entries import EventEntry, ItemEntry
from code_core.store.journal import FaultyJournal, MemoryJournal
from code_core.tools.approver import CommandQuestion
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from core.session.conversing import Frontend, after, call, user
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    completed,
    converse,
    scripted_config,
    scripted_conversation,
    text,
)


def recorded(journal: MemoryJournal) -> list[Any]:
    """The types of the journal's items, with their call ids or roles."""
    payloads = [entry.payload for entry in journal.entries if isinstance(entry, ItemEntry)]
    return [(payload["type"], payload.get("call_id") or payload.get("role")) for payload in payloads]


def outputs(conversation: Conversation) -> dict[str, object]:
    items = (one.item for one in conversation.session.history.items)
    return {item.call_id: item.output for item in items if isinstance(item, FunctionCallOutput)}


async def wait_for_ever(call: ToolCall, context: ToolContext) -> ToolOutput:
    del call, context
    await anyio.sleep_forever()
    raise AssertionError


def test_an_interrupt_while_the_journal_writes_waits_for_it(config: Config) -> None:
    journal = FaultyJournal()
    stopping = anyio.Event()

    async def block(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        journal.block()
        stopping.set()
        return ToolOutput("done")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await stopping.wait()
        await anyio.wait_all_tasks_blocked()  # the turn is writing the tool's output
        await reading.send(Interrupt())
        await anyio.wait_all_tasks_blocked()
        assert ("function_call_output", "c1") not in recorded(journal)
        journal.gate.set()
        assert (await reading.ended()).type == "turn_aborted"
        assert ("function_call_output", "c1") in recorded(journal)
        assert outputs(reading.conversation) == {"c1": "done"}

    model = ScriptedModel(calls("work"))
    converse(
        scripted_conversation(config, model, ScriptedTool("work", block), parts=Parts(journal=journal)),
        script,
    )


def test_a_journal_that_hangs_delays_an_interrupt_for_a_limited_time(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_history, "RECORD_SECONDS", 0.1)
    monkeypatch.setattr(conversation_history, "PATIENCE_SECONDS", 0.01)
    journal = FaultyJournal()

    async def script(reading: Reading) -> None:
        journal.block()
        await reading.send(text("go"))
        assert "could not be recorded within 0.01 s" in (await reading.ended()).message
        (warning,) = reading.of("warning")  # about the input, which is waited for longer
        assert "could not be recorded within 0.1 s" in warning.message
        journal.gate.set()
        await reading.send(text("again"))
        assert (await reading.ended()).type == "task_complete"
        inputs = [kind for kind in recorded(journal) if kind == ("message", "user")]
        assert len(inputs) == 3  # environment and both inputs: nothing was lost

    model = ScriptedModel(answer("hello"))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_a_journal_that_fails_stops_the_turn_and_loses_nothing(config: Config) -> None:
    journal = FaultyJournal()

    async def fill_disk(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        journal.fails = lambda _entry: True
        return ToolOutput("precious")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "No space left" in (await reading.ended()).message
        assert outputs(reading.conversation) == {"c1": "precious"}
        assert len(model.prompts) == 1
        await reading.send(text("again"))
        assert "No space left" in (await reading.ended()).message
        assert len(model.prompts) == 1
        journal.fails = lambda _entry: False
        await reading.send(text("once more"))
        assert (await reading.ended()).type == "task_complete"
        assert "precious" in model.request_text()
        assert "again" in model.request_text()
        kinds = recorded(journal)
        assert kinds.index(("function_call", "c1")) < kinds.index(("function_call_output", "c1"))
        assert kinds[-1] == ("message", "assistant")
        reading.conversation.session.history.model_items()

    model = ScriptedModel(calls("work"), answer("done"))
    tool = ScriptedTool("work", fill_disk)
    converse(scripted_conversation(config, model, tool, parts=Parts(journal=journal)), script)
    assert tool.ran == ["c1"]


def test_finished_items_are_recorded_when_the_stream_is_interrupted(config: Config) -> None:
    waiting, journal = anyio.Event(), MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("agent_message")
        await reading.send(Interrupt())
        await reading.ended()
        assert ("message", "assistant") in recorded(journal)
        assert (
            EventEntry.turn_aborted(reading.of("task_started")[0].turn_id, "interrupted") in journal.entries
        )

    model = ScriptedModel([*answer("partly")[:-1], waiting, completed()])
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_an_interrupt_keeps_the_outputs_of_calls_that_ended_in_their_order(config: Config) -> None:
    done = anyio.Event()

    async def quick(call: ToolCall, context: ToolContext) -> ToolOutput:
        del context
        if call.call_id == "c1":  # the first one ends last
            await done.wait()
        done.set()
        return ToolOutput(f"out {call.call_id}")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await done.wait()
        await anyio.wait_all_tasks_blocked()
        await reading.send(Interrupt())
        await reading.ended()
        assert list(outputs(reading.conversation).items()) == [("c1", "out c1"), ("c3", "out c3")]
        await reading.send(text("more"))
        await reading.ended()
        assert "'call_id': 'c2', 'output': 'aborted'" in model.request_text()

    model = ScriptedModel(calls("quick", "slow", "quick"), answer("bye"))
    tools = [
        ScriptedTool("quick", quick, parallel_safe=True),
        ScriptedTool("slow", wait_for_ever, parallel_safe=True),
    ]
    converse(scripted_conversation(config, model, *tools), script)


def test_parallel_safe_calls_run_together_and_others_alone(config: Config) -> None:
    running: set[str] = set()
    seen: list[set[str]] = []

    async def body(call: ToolCall, context: ToolContext) -> ToolOutput:
        del context
        running.add(call.call_id)
        await anyio.wait_all_tasks_blocked() if call.call_id == "c1" else await anyio.sleep(0.05)
        seen.append(set(running))
        running.remove(call.call_id)
        return ToolOutput("x" + call.call_id)

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        assert seen[0] == {"c1", "c2"}
        assert {"c3"} in seen
        assert {"c4"} in seen
        assert {"c5", "c6"} in seen
        assert [*outputs(reading.conversation)] == ["c1", "c2", "c3", "c4", "c5", "c6"]

    model = ScriptedModel(
        calls("together", "together", "alone", "alone", "together", "together"), answer("bye")
    )
    tools = [ScriptedTool("together", body, parallel_safe=True), ScriptedTool("alone", body)]
    converse(scripted_conversation(config, model, *tools), script)


def test_a_broken_tools_begin_events_get_end_events(config: Config) -> None:
    async def crash(call: ToolCall, context: ToolContext) -> ToolOutput:
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        raise ValueError("broken")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        (end,) = reading.of("exec_command_end")
        assert (end.call_id, end.exit_code) == ("c1", 130)
        assert "broken" in model.request_text()

    model = ScriptedModel(calls("work"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work", crash)), script)


def test_an_interrupted_tools_begin_events_get_end_events(config: Config) -> None:
    async def hang(call: ToolCall, context: ToolContext) -> ToolOutput:
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        return await wait_for_ever(call, context)

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("exec_command_begin")
        await anyio.sleep(0.05)
        await reading.send(Interrupt())
        await reading.ended()
        (end,) = reading.of("exec_command_end")
        assert end.stderr == "interrupted"
        assert end.duration.nanos > 40_000_000
        assert reading.kinds.index("exec_command_end") < reading.kinds.index("turn_aborted")

    converse(scripted_conversation(config, ScriptedModel(calls("work")), ScriptedTool("work", hang)), script)


def ask(call: ToolCall, context: ToolContext) -> CommandQuestion:
    grant = CommandGrant(argv=("x",), cwd=context.cwd, outside=False)
    return CommandQuestion(call.call_id, ["x"], context.cwd, "why not", grant)


def test_an_interrupt_withdraws_an_open_question(config: Config) -> None:
    async def asking(call: ToolCall, context: ToolContext) -> ToolOutput:
        review = await context.approver.ask(ask(call, context))
        return ToolOutput(f"the answer was {review.decision.value}")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("exec_approval_request")
        await reading.send(Interrupt())
        assert (await reading.ended()).type == "turn_aborted"
        await reading.send(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        assert "had no effect" in (await reading.until("warning")).message
        assert outputs(reading.conversation) == {}
        assert reading.conversation.follow().waiting == 1  # the snapshot alone: no question is open

    converse(
        scripted_conversation(config, ScriptedModel(calls("work")), ScriptedTool("work", asking)), script
    )


def test_abort_ends_the_calls_that_run_at_the_same_time(config: Config) -> None:
    ended = list[str]()

    async def hang(call: ToolCall, context: ToolContext) -> ToolOutput:
        try:
            return await wait_for_ever(call, context)
        finally:
            ended.append(call.call_id)

    async def asking(call: ToolCall, context: ToolContext) -> ToolOutput:
        await anyio.wait_all_tasks_blocked()
        raise TurnAbandoned

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "turn_aborted"
        assert ended == ["c1"]
        assert outputs(reading.conversation) == {}

    tools = ScriptedTool("hang", hang, parallel_safe=True), ScriptedTool("ask", asking, parallel_safe=True)
    converse(scripted_conversation(config, ScriptedModel(calls("hang", "ask")), *tools), script)


def test_time_in_which_the_user_is_asked_counts_against_no_limit(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("limits.max_wall_seconds", 0.3),))

    async def asking(call: ToolCall, context: ToolContext) -> ToolOutput:
        await context.approver.ask(ask(call, context))
        return ToolOutput("asked")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("exec_approval_request")
        await anyio.sleep(0.5)
        await reading.send(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        assert (await reading.ended()).type == "task_complete"
        await reading.send(text("and now without a question"))
        assert "0.3 seconds" in (await reading.ended()).message

    model = ScriptedModel(calls("asking"), answer("bye"), calls("slow", first=2))
    tools = ScriptedTool("asking", asking), ScriptedTool("slow", wait_for_ever)
    converse(scripted_conversation(config, model, *tools), script)


def test_an_interrupted_command_reports_its_time_and_the_model_sees_its_output(
    converse: Callable[..., None],
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("exec_command_output_delta")
        started = time.perf_counter()
        await anyio.sleep(0.2)
        await frontend.send(Interrupt())
        end = await frontend.until("exec_command_end")
        elapsed = time.perf_counter() - started
        assert end.exit_code == 143  # TERM
        assert 0.2 <= end.duration.secs + end.duration.nanos / 1e9 <= elapsed + 5
        assert "interrupted by the user" in end.stderr
        assert end.stdout == "half way\n"
        await frontend.until("turn_aborted")
        await frontend.send(user("what did you see?"))
        await frontend.until("task_complete")

    sleep = call("sh", "-c", "echo half way; exec sleep 60")
    converse(script, sleep, after("half way", "interrupted by the user", '"exit_code": 143'))


def test_leaving_ends_the_task_and_closes_every_part(config: Config) -> None:
    journal, model = MemoryJournal(), ScriptedModel(calls("work"))
    conversation = scripted_conversation(
        config, model, ScriptedTool("work", wait_for_ever), parts=Parts(journal=journal)
    )

    async def broken() -> None:
        raise OSError("no such process")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("token_count")
        conversation.session.services.servers.aclose = broken  # type: ignore[method-assign] # a part that fails

    converse(conversation, script)
    assert model.closed
    assert journal.closed
    assert any(isinstance(entry, EventEntry) and entry.name == "turn_aborted" for entry in journal.entries)


def test_a_shutdown_ends_the_running_task_first(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("token_count")
        await reading.send(Shutdown())
        await reading.until("shutdown_complete")
        assert [kind for kind in reading.kinds if kind in {"turn_aborted", "shutdown_complete"}] == [
            "turn_aborted",
            "shutdown_complete",
        ]

    tool = ScriptedTool("work", wait_for_ever)
    converse(scripted_conversation(config, ScriptedModel(calls("work")), tool), script)
