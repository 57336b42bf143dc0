"""A session under stress: ops in any order, at any await, with faults in every part.

The event loop runs a drawn number of steps between two rules, so that each op comes at any
await of a turn.
"""

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import anyio.lowlevel
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from code_core.errors import ContextWindowExceeded, RequestRefused, StreamBroken
from code_core.protocol.duration import Duration
from code_core.protocol.events import Event, ExecCommandBegin, ExecCommandEnd
from code_core.protocol.items import ToolCall
from code_core.protocol.ops import (
    Compact,
    EditQueuedInput,
    ExecApproval,
    Interrupt,
    Op,
    OverrideTurnContext,
    RemoveQueuedInput,
    Shutdown,
    TextInput,
    Undo,
)
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant
from code_core.session.events.log import EventReader
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.journal import FaultyJournal
from code_core.tools.approver import CommandQuestion
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.planned_model import PlannedModel
from core.session.scripted import (
    TASK_ENDS,
    ScriptedTool,
    answer,
    calls,
    queued,
    scripted_config,
    scripted_conversation,
    text,
)

MOST_STEPS_TO_REST = 50_000
LONG_ENOUGH = 5
STALLED = 40
"""Number of events after which the stalled reader is far behind."""

TOOLS = ("work", "work_together", "ask", "crash", "slow")
ERRORS = {
    "broken": StreamBroken("cut"),
    "refused": RequestRefused("no"),
    "too long": ContextWindowExceeded("too long"),
}


class SessionMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.backoff = mock.patch("code_core.session.turn.sampling.backoff", return_value=0.0)
        self.backoff.start()
        self.model = PlannedModel()
        self.journal = self.make_journal()
        self.ran: Counter[str] = Counter()
        self.inputs: dict[str, str] = {}
        self.removable: set[str] = set()
        self.asked: list[str] = []
        self.seen: list[Event] = []
        self.stalled: EventReader | None = None
        self.late: EventReader | None = None
        self.late_seen: list[Event] = []

    def make_journal(self) -> Any:
        """A journal with `gate`, `block` and `fails`: see `FaultyJournal`."""
        return FaultyJournal()

    def recorded(self) -> SessionState:
        """The state from which a resume would start."""
        return SessionState.from_entries(self.journal.entries)

    def is_busy(self) -> bool:
        """Whether something is running that will end by itself."""
        ops = self.conversation._ops_out.statistics().current_buffer_used
        return self.conversation._runner.running is not None or ops > 0

    def steps(self, number: int) -> None:
        """Let the event loop run `number` times."""

        async def turn_over() -> None:
            for _ in range(number):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn_over())

    def within(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        config = scripted_config(Path(self.folder.name))
        config = replace(config, preferences=replace(config.preferences, context_window=2_000))
        bodies = {"ask": self._ask, "crash": self._crash, "slow": self._slow}
        tools = [
            ScriptedTool(name, bodies.get(name, self._work), parallel_safe=name == "work_together")
            for name in TOOLS
        ]
        self.open_gate = asyncio.Event()
        self.conversation = scripted_conversation(
            config, self.model, *tools, parts=Parts(journal=self.journal)
        )
        self.stop = asyncio.Event()
        self.host = self.loop.create_task(self._host())
        self.steps(3)
        self.stalled = self.conversation.follow()
        self.stalled._most_events = STALLED

    async def _host(self) -> None:
        async with self.conversation:
            await self.stop.wait()

    # --- what tools do -------------------------------------------------------------------

    async def _work(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        self.ran[call.call_id] += 1
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        end = ExecCommandEnd(
            call_id=call.call_id, stdout="", stderr="", exit_code=0, duration=Duration.of(0.0)
        )
        await context.emit(end)
        return ToolOutput(f"worked {call.call_id} " + "x" * 400)

    async def _ask(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        self.ran[call.call_id] += 1
        grant = CommandGrant(argv=("x",), cwd=context.cwd)
        review = await context.approver.ask(CommandQuestion(call.call_id, ["x"], context.cwd, "why", grant))
        return ToolOutput(review.decision.value)

    async def _crash(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        self.ran[call.call_id] += 1
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        raise ValueError("broken")

    async def _slow(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        self.ran[call.call_id] += 1
        await context.emit(ExecCommandBegin(call_id=call.call_id, command=["x"], cwd=context.cwd))
        await self.open_gate.wait()
        return ToolOutput("at last")

    # --- rules ---------------------------------------------------------------------------

    def _submit(self, op: Op) -> None:
        async def submit() -> None:
            await self.conversation.submit(op)

        self.within(submit())

    @rule(number=st.integers(1, 12))
    def time_passes(self, number: int) -> None:
        self.steps(number)

    @rule(replaces=st.booleans(), steps=st.integers(0, 4))
    def input_comes(self, replaces: bool, steps: int) -> None:
        name = f"input {len(self.inputs)}"
        self.inputs[name] = name
        self._submit(text(name, id=name) if replaces else queued(name, id=name))
        self.steps(steps)

    @rule(data=st.data())
    def queue_is_edited(self, data: st.DataObject) -> None:
        if self.inputs:
            name = data.draw(st.sampled_from(sorted(self.inputs)))
            self._submit(EditQueuedInput(id=name, items=[TextInput(text=f"edited {name}")]))

    @rule(data=st.data())
    def input_is_removed(self, data: st.DataObject) -> None:
        if self.inputs:
            name = data.draw(st.sampled_from(sorted(self.inputs)))
            self.removable.add(name)
            self._submit(RemoveQueuedInput(id=name))

    @rule(steps=st.integers(0, 6))
    def turn_is_interrupted(self, steps: int) -> None:
        self._submit(Interrupt())
        self.steps(steps)

    @rule(op=st.sampled_from([Compact(), Undo(), OverrideTurnContext(model="gpt-4o")]))
    def something_else_is_asked(self, op: Op) -> None:
        self._submit(op)

    @rule(
        names=st.lists(st.sampled_from(TOOLS), min_size=1, max_size=4),
        first=st.sampled_from([1, 1, 5, 9]),
        cut=st.integers(0, 6),
        error=st.sampled_from([None, None, *ERRORS]),
    )
    def model_will_call(self, names: list[str], first: int, cut: int, error: str | None) -> None:
        steps = calls(*names, first=first)  # ids come again and again, as some providers send them
        self.model.plans.append(steps if error is None else [*steps[:cut], ERRORS[error]])

    @rule(error=st.sampled_from(sorted(ERRORS)), spoken=st.integers(0, 2))
    def model_will_break(self, error: str, spoken: int) -> None:
        self.model.plans.append([*answer("partly")[:spoken], ERRORS[error]])

    @rule()
    def model_will_wait(self) -> None:
        self.model.plans.append([*answer("slowly")[:1], self.open_gate, *answer("slowly")[1:]])  # type: ignore[list-item] # asyncio's event waits too

    @rule(decision=st.sampled_from([*ReviewDecision]), late=st.booleans(), twice=st.booleans())
    def question_is_answered(self, decision: ReviewDecision, late: bool, twice: bool) -> None:
        self.asked += [one for one in self.conversation._log.open.questions if one not in self.asked]
        if self.asked:
            op = ExecApproval(id=self.asked[0 if late else -1], decision=decision)
            for _ in range(1 + twice):
                self._submit(op)

    @rule()
    def slow_things_end(self) -> None:
        self.open_gate.set()
        self.steps(2)
        self.open_gate.clear()

    @rule()
    def journal_blocks(self) -> None:
        if self.journal.gate.is_set():
            self.journal.block()

    @rule()
    def journal_goes_on(self) -> None:
        self.journal.gate.set()

    @rule(fails=st.booleans())
    def disk_is_full_or_not(self, fails: bool) -> None:
        self.journal.fails = lambda _entry: fails

    @rule(number=st.integers(1, 20))
    def frontend_reads(self, number: int) -> None:
        for _ in range(number):
            if self.conversation._events.waiting:
                self.within(self._read(self.conversation._events, self.seen))

    @precondition(lambda self: self.late is None)
    @rule()
    def another_reader_joins(self) -> None:
        self.late = self.conversation.follow()

    @precondition(lambda self: self.late is not None)
    @rule(number=st.integers(1, 20))
    def other_reader_reads(self, number: int) -> None:
        assert self.late is not None
        for _ in range(number):
            if self.late.waiting:
                self.within(self._read(self.late, self.late_seen))

    async def _read(self, reader: EventReader, seen: list[Event]) -> None:
        seen.append(await anext(reader))

    # --- what must hold in the end -------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "conversation"):
                self._come_to_rest()
                self._check()
        finally:
            self.backoff.stop()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.steps(3)
            self.loop.close()
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        self.journal.gate.set()
        self.journal.fails = lambda _entry: False
        self.open_gate.set()
        idle = 0
        for _ in range(MOST_STEPS_TO_REST):
            for question in list(self.conversation._log.open.questions):
                self._submit(ExecApproval(id=question, decision=ReviewDecision.DENIED))
            self.steps(5)
            idle = 0 if self.is_busy() else idle + 1
            if idle == LONG_ENOUGH:  # the mailbox may be between an op and what it does
                break
        else:
            raise AssertionError("the session does not come to rest")
        self.waiting = {entry.id: entry for entry in self.conversation.session.queue.entries}
        self._submit(Shutdown())
        self.stop.set()
        self.loop.run_until_complete(asyncio.wait_for(self.host, 10))

        async def read_on() -> None:
            assert self.stalled is not None
            self.seen += [event async for event in self.conversation._events]
            self.stalled_seen = [event async for event in self.stalled]
            if self.late is not None:
                self.late_seen += [event async for event in self.late]

        self.loop.run_until_complete(read_on())

    def _check(self) -> None:
        assert self.model.problems == []
        assert [call_id for call_id, times in self.ran.items() if times > 1] == []
        self._check_numbers(self.seen)
        self._check_tasks(self.seen)
        self._check_items(self.seen)
        self._check_inputs()
        self._check_readers()
        recorded = self.recorded()
        assert list(recorded.items) == list(self.conversation.session.history.items)
        assert {entry.id for entry in recorded.queue} == self.waiting.keys()

    def _check_numbers(self, seen: list[Event]) -> None:
        numbers: dict[str, list[int]] = defaultdict(list)
        for event in seen:
            numbers[event.id].append(event.event_seq)
        assert all(given == list(range(len(given))) for given in numbers.values())

    def _check_tasks(self, seen: list[Event]) -> None:
        """Each task has one end, which comes before the next task."""
        running: str | None = None
        for event in seen:
            if event.msg.type == "task_started":
                assert running is None
                running = event.id
            elif event.msg.type in TASK_ENDS and event.id == running:
                running = None
            elif event.msg.type in TASK_ENDS:
                assert "cannot start" in getattr(event.msg, "message", "")
            assert not getattr(event.msg, "message", "").startswith("internal error")
        assert running is None

    def _check_items(self, seen: list[Event]) -> None:
        """Each begin has one end, before the end of its task."""
        begun: set[str] = set()
        for event in seen:
            match event.msg:
                case ExecCommandBegin(call_id=call_id):
                    begun.add(call_id)
                case ExecCommandEnd(call_id=call_id):
                    begun.remove(call_id)
                case msg if msg.type in {"turn_aborted", "task_complete"}:
                    assert not begun
                case _:
                    pass
        assert not begun

    def _check_inputs(self) -> None:
        """Each input has reached the model once, or it waits, or it was removed."""
        taken = Counter(
            getattr(event.msg, "id", "") for event in self.seen if event.msg.type == "user_message"
        )
        for name in self.inputs:
            occurrences = taken[name] + (name in self.waiting)
            assert occurrences == 1 or (occurrences == 0 and name in self.removable)

    def _check_readers(self) -> None:
        ends = [(event.id, event.event_seq) for event in self.seen if event.msg.type in TASK_ENDS]
        stalled = [(event.id, event.event_seq) for event in self.stalled_seen if event.msg.type in TASK_ENDS]
        assert stalled == ends
        self._check_tasks(self.stalled_seen[1:]) if not _skipped(self.stalled_seen) else None
        if self.late is not None:
            assert self.late_seen[0].msg.type == "session_snapshot"
            joined = {(event.id, event.event_seq) for event in self.late_seen if event.msg.type in TASK_ENDS}
            assert joined == set(ends[len(ends) - len(joined) :])


def _skipped(seen: list[Event]) -> bool:
    return any(event.msg.type == "events_skipped" for event in seen)
