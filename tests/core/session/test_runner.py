"""How a task begins and ends: what is recorded, in which order, and under which id."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import RequestRefused
from code_core.protocol.checkpoints import Steps
from code_core.protocol.events import ExecCommandBegin
from code_core.protocol.items import ToolCall
from code_core.protocol.ops import Compact, Interrupt
from code_core.session import runner
from code_core.session.parts import Parts
from code_core.session.runner import failure
from code_core.store.entries import Entry, EventEntry
from code_core.store.journal import FaultyJournal, MemoryJournal
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    converse,
    queued,
    scripted_config,
    scripted_conversation,
    text,
)


def events(journal: MemoryJournal) -> list[dict[str, Any]]:
    return [dict(entry.event) for entry in journal.entries if isinstance(entry, EventEntry)]


def named(name: str) -> Callable[[Entry], bool]:
    return lambda entry: isinstance(entry, EventEntry) and entry.name == name


def test_the_events_of_a_task_have_the_id_of_its_op(config: Config) -> None:
    async def script(reading: Reading) -> None:
        for op in (text("go"), Compact()):
            first = len(reading.seen)
            submission = await reading.send(op)
            await reading.ended()
            of_task = [event for event in reading.seen[first:] if event.id != "0"]
            assert {event.id for event in of_task} == {submission}
            assert of_task[0].msg.type == "task_started"
        assert [started.kind for started in reading.of("task_started")] == ["turn", "compact"]
        for started in reading.of("task_started"):
            assert started.turn_id.startswith("turn_")
            assert started.model_context_window == 1_000

    config = replace(config, preferences=replace(config.preferences, context_window=1_000))
    converse(scripted_conversation(config, ScriptedModel(answer("hello"), answer("short"))), script)


def test_the_journal_records_the_beginning_and_the_end_of_each_turn(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        assert journal.syncs >= 1  # a user who sees the answer can rely on it
        await reading.send(text("and fail"))
        await reading.ended()
        done, failed = (started.turn_id for started in reading.of("task_started"))
        marks = [one for one in events(journal) if one["type"] in {"task_started", "task_complete", "error"}]
        assert marks[:3] == [
            {"type": "task_started", "turn_id": done},
            {"type": "task_complete", "turn_id": done, "last_agent_message": "hello"},
            {"type": "task_started", "turn_id": failed},
        ]
        (error,) = marks[3:]
        assert (error["type"], error["turn_id"]) == ("error", failed)
        assert "no more responses" in error["message"]
        assert events(journal)[-1] == error  # the end is the last that a turn records

    model = ScriptedModel(answer("hello"))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_an_interrupted_turn_is_on_disk_before_its_end_is_reported(config: Config) -> None:
    journal, never = MemoryJournal(), anyio.Event()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("agent_message")
        before = journal.syncs
        await reading.send(Interrupt())
        assert (await reading.ended()).type == "turn_aborted"
        assert journal.syncs > before

    model = ScriptedModel([*answer("partly")[:-1], never])
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_an_end_that_cannot_be_recorded_is_an_error_with_a_code(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        end = await reading.ended()
        assert (end.type, end.code) == ("error", "internal")
        assert "No space left" in end.message

    parts = Parts(journal=FaultyJournal(named("task_complete")))
    converse(scripted_conversation(config, ScriptedModel(answer("hello")), parts=parts), script)


def test_the_reason_for_a_failure_is_reported_even_if_the_journal_also_fails(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "no more responses" in (await reading.ended()).message

    parts = Parts(journal=FaultyJournal(named("error")))
    converse(scripted_conversation(config, ScriptedModel(), parts=parts), script)


@pytest.mark.parametrize(("replaced", "reason"), [(False, "interrupted"), (True, "replaced")])
def test_a_stopped_turn_has_a_reason(config: Config, replaced: bool, reason: str) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("agent_message")
        await reading.send(text("more") if replaced else Interrupt())
        assert (await reading.ended()).reason == reason

    model = ScriptedModel([*answer("partly")[:-1], anyio.Event()], answer("bye"))
    converse(scripted_conversation(config, model), script)


def test_open_items_of_a_failed_turn_end_with_the_reason(tmp_path: Path) -> None:
    async def begin(call: ToolCall, context: ToolContext) -> ToolOutput:
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        await anyio.sleep_forever()
        raise AssertionError

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        error = await reading.ended()
        (end,) = reading.of("exec_command_end")
        assert "0.1 seconds" in error.message
        assert end.stderr == error.message

    config = scripted_config(tmp_path, settings=(("limits.max_wall_seconds", 0.1),))
    converse(scripted_conversation(config, ScriptedModel(calls("work")), ScriptedTool("work", begin)), script)


@pytest.mark.parametrize("replaced", [False, True])
def test_stopping_a_turn_that_is_ending_does_not_start_a_turn(config: Config, replaced: bool) -> None:
    """The turn has its answer and is being recorded; input waits, and the user interrupts or sends more."""
    journal = FaultyJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("agent_message")
        await reading.send(queued("waiting", id="q"))
        await reading.until("queue_changed")
        journal.block()
        last.set()
        await anyio.wait_all_tasks_blocked()
        await reading.send(text("more") if replaced else Interrupt())
        await anyio.wait_all_tasks_blocked()
        journal.gate.set()
        await reading.ended()
        await anyio.wait_all_tasks_blocked()
        if replaced:
            await reading.ended()
            assert "waiting" in model.request_text()
            assert "more" in model.request_text()
        assert len(model.prompts) == 1 + replaced
        assert len(reading.conversation.session.queue) == 1 - replaced

    last = anyio.Event()
    whole = answer("hello")
    model = ScriptedModel([*whole[:-1], last, whole[-1]], answer("bye"))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


@pytest.mark.parametrize(("count", "words"), [(1, "1 queued input goes"), (2, "2 queued inputs go")])
def test_a_failure_reports_how_much_input_waits(config: Config, count: int, words: str) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("agent_message")
        for number in range(count):
            await reading.send(queued(str(number)))
            await reading.until("queue_changed")
        fail.set()
        await reading.ended()
        warning = await reading.until("warning")
        assert warning.message == f"{words} to the model with your next one"

    fail = anyio.Event()
    model = ScriptedModel([*answer("hello")[:-1], fail, RequestRefused("no")])
    converse(scripted_conversation(config, model), script)


def test_a_failure_without_queued_input_causes_no_warning(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        await anyio.wait_all_tasks_blocked()
        await reading.send(text("again"))
        await reading.ended()
        assert reading.of("warning") == []

    converse(scripted_conversation(config, ScriptedModel()), script)


class Checkpoints:
    """Returns the number of steps, fails or hangs. See `Checkpoints` of the protocol."""

    def __init__(self, *steps: Steps | Exception | None) -> None:
        self._steps = list(steps)

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        pass

    async def before_command(self, turn_id: str) -> None:
        pass

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        pass

    async def end_turn(self, turn_id: str) -> None:
        pass

    async def steps(self) -> Steps:
        match self._steps.pop(0):
            case Steps() as steps:
                return steps
            case Exception() as error:
                raise error
            case None:
                await anyio.sleep_forever()
        raise AssertionError

    async def undo(self) -> None:
        return None

    async def redo(self) -> None:
        return None

    async def aclose(self) -> None:
        pass


def after_turns(config: Config, *steps: Steps | Exception | None) -> Reading:
    """The events of one turn for each of the `steps`."""
    readings: list[Reading] = []

    async def script(reading: Reading) -> None:
        readings.append(reading)
        for _ in steps:
            await reading.send(text("go"))
            assert (await reading.ended()).type == "task_complete"

    model = ScriptedModel(*(answer("hello") for _ in steps))
    converse(scripted_conversation(config, model, parts=Parts(checkpoints=Checkpoints(*steps))), script)
    return readings[0]


def test_the_undoable_steps_are_reported_when_they_change(config: Config) -> None:
    counts = [Steps(0, 0), Steps(1, 0), Steps(1, 0), Steps(0, 1), Steps(0, 0)]
    available = after_turns(config, *counts).of("undo_available")
    assert [(one.undo, one.redo) for one in available] == [(1, 0), (0, 1), (0, 0)]


@pytest.mark.parametrize("steps", [Steps(1, 0), Steps(0, 1)])
def test_the_first_turn_that_can_be_undone_is_reported(config: Config, steps: Steps) -> None:
    assert len(after_turns(config, steps).of("undo_available")) == 1


def test_failing_or_hanging_checkpoints_only_prevent_the_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = scripted_config(tmp_path)
    [failed] = after_turns(config, OSError("disk on fire")).of("warning")
    assert failed.message == "this turn cannot be undone: disk on fire"
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.05)
    [hung] = after_turns(config, None).of("warning")
    assert hung.message == "this turn may not be undone: the store does not answer"


def test_an_unexpected_failure_is_reported_with_a_limited_length() -> None:
    error = failure(ExceptionGroup("tasks", [ExceptionGroup("inner", [ValueError("x" * 5_000)])]))
    assert error.code == "internal"
    assert error.message.startswith("internal error: ValueError: xxx")
    assert len(error.message) == runner.LONGEST_ERROR
    both = failure(ExceptionGroup("two", [ValueError("a"), OSError("b")]))
    assert both.message == "internal error: ExceptionGroup: two (2 sub-exceptions)"
    assert failure(ExceptionGroup("one", [RequestRefused("no", code="auth")])).code == "auth"
