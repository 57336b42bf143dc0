"""What a reader that is far behind gets."""

import tracemalloc
from pathlib import Path

import anyio
import pytest

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.events import (
    ErrorEvent,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    SessionConfigured,
    ShutdownComplete,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    WarningEvent,
)
from code_core.protocol.mcp_events import (
    ElicitationRequest,
    ElicitationWithdrawn,
    McpListToolsResponse,
    McpOffersChanged,
    McpTool,
)
from code_core.protocol.ops import TextInput
from code_core.protocol.question_events import PlanProposed
from code_core.protocol.session_events import EventsSkipped, QueueChanged, QueueEntry
from code_core.session.events import log as events
from code_core.session.events.log import (
    ALWAYS_KEPT,
    MOST_EVENTS,
    EventLog,
)
from core.session.event_logs import begin, end, output, question, rest, run


def test_deltas_that_grow_count_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 100)

    async def script(log: EventLog) -> None:
        reader, taking = log.reader(), log.reader()
        for piece in ("x" * 60, "y" * 40):
            log.publish("1", AgentMessageDelta(delta=piece))
        assert (await anext(taking)).msg == AgentMessageDelta(delta="x" * 60 + "y" * 40)
        assert reader.waiting == 1
        log.publish("1", AgentMessageDelta(delta="z"))
        assert [event.msg for event in await rest(log, reader)] == [EventsSkipped(count=2)]

    run(script)


def test_a_growing_delta_alone_can_exceed_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 100)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        for piece in ("x" * 60, "y" * 41):
            log.publish("1", AgentMessageDelta(delta=piece))
        assert [event.msg for event in await rest(log, reader)] == [EventsSkipped(count=1)]

    run(script)


def test_read_events_do_not_count_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 100)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", AgentMessage(message="x" * 25))
        for _ in range(20):
            log.publish("1", AgentMessage(message="x" * 25))
            assert (await anext(reader)).msg.type == "agent_message"

    run(script)


@pytest.mark.parametrize(("limit", "value"), [("MOST_CHARACTERS", 100), ("MOST_EVENTS", 10)])
def test_a_reader_may_be_behind_by_exactly_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(events, limit, value)

    async def script(log: EventLog) -> None:
        reader, other = log.reader(), log.reader()
        for _ in range(10):
            log.publish("1", WarningEvent(message="x" * (10 - len("warning"))))
        assert reader.waiting == 10
        assert (await anext(other)).msg.type == "warning"
        log.publish("1", WarningEvent(message="x"))
        assert other.waiting == 10 or limit == "MOST_CHARACTERS"
        assert [event.msg for event in await rest(log, reader)] == [EventsSkipped(count=11)]

    run(script)


def test_text_after_skipped_events_is_a_separate_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 100)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", AgentMessageDelta(delta="x" * 101))
        log.publish("1", AgentMessageDelta(delta="y"))
        assert [event.msg for event in await rest(log, reader)] == [
            EventsSkipped(count=1),
            AgentMessageDelta(delta="y"),
        ]

    run(script)


def warning(size: int) -> WarningEvent:
    return WarningEvent(message="x" * (size - len("warning")))


@pytest.mark.parametrize(
    ("sizes", "skipped", "left"),
    [((40, 40, 40), 3, []), ((20, 20, 20, 50), 1, [20, 20, 50])],
)
def test_the_newest_events_are_always_kept(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], skipped: int, left: list[int]
) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 100)
    monkeypatch.setattr(events, "ALWAYS_KEPT", 3)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        for size in sizes:
            log.publish("1", warning(size))
        assert [event.msg for event in await rest(log, reader)] == [
            EventsSkipped(count=skipped),
            *map(warning, left),
        ]

    run(script)


@pytest.mark.parametrize(("limit", "value"), [("MOST_CHARACTERS", 100), ("MOST_EVENTS", 2)])
def test_events_that_cannot_be_skipped_double_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """Otherwise every further event would require a look at all waiting ones."""
    monkeypatch.setattr(events, limit, value)
    monkeypatch.setattr(events, "ALWAYS_KEPT", 1)
    done = TaskComplete(last_agent_message="x" * (50 - len("task_complete")))

    async def script(log: EventLog) -> None:
        reader = log.reader()
        for msg in (done, done, done, warning(50), warning(50), warning(50)):
            log.publish("1", msg)
        assert reader.waiting == 6
        log.publish("1", warning(50))
        assert [event.msg for event in await rest(log, reader)] == [
            done,
            done,
            done,
            EventsSkipped(count=3),
            warning(50),
        ]

    run(script)


@pytest.mark.parametrize(
    ("seen", "waiting", "left"),
    [
        ("", "+a", "+a"),
        ("", "+a -a", ""),
        ("", "+a +b -a", "+b"),
        ("", "+a -a +a", "+a"),
        ("+a", "-a", "-a"),
        ("+a", "-a +a -a", "-a"),
        ("+a", "-a +a", "-a +a"),
    ],
)
def test_a_begin_is_skipped_together_with_its_end(
    monkeypatch: pytest.MonkeyPatch, seen: str, waiting: str, left: str
) -> None:
    """`+a` is the begin of an item, `-a` its end; the same item may begin again."""

    def items(marks: str) -> list[EventMsg]:
        return [begin(mark[1]) if mark[0] == "+" else end(mark[1]) for mark in marks.split()]

    monkeypatch.setattr(events, "MOST_EVENTS", len(items(waiting)))

    async def script(log: EventLog) -> None:
        reader = log.reader()
        for msg in items(seen):
            log.publish("1", msg)
            assert (await anext(reader)).msg == msg
        for msg in items(waiting):
            log.publish("1", msg)
        assert reader.waiting == len(items(waiting))
        log.publish("1", WarningEvent(message="too much"))
        got = [event.msg for event in await rest(log, reader)]
        assert [msg for msg in got if not isinstance(msg, EventsSkipped)] == items(left)

    run(script)


def test_a_reader_far_behind_keeps_what_matters() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", TaskStarted())
        log.publish("1", begin("seen"))
        assert [(await anext(reader)).msg.type for _ in range(2)] == ["task_started", "exec_command_begin"]
        log.publish("1", end("seen"))
        log.publish("1", begin("whole"))
        log.publish("1", end("whole"))
        log.publish("1", begin("open"))
        log.publish("1", question("open"))
        log.publish("1", question("answered"))
        log.open.answered("answered")
        log.publish("0", WarningEvent(message="old"))
        for number in range(MOST_EVENTS):
            log.publish(f"task {number % 2}", TaskComplete() if number == 7 else WarningEvent(message="x"))
        assert reader.waiting <= ALWAYS_KEPT + 16
        seen = await rest(log, reader)
        kinds = [event.msg.type for event in seen if not isinstance(event.msg, WarningEvent)]
        assert kinds == [
            "exec_command_end",
            "exec_command_begin",
            "exec_approval_request",
            "task_complete",
            "events_skipped",
        ]
        ends = [event.msg.call_id for event in seen if isinstance(event.msg, ExecCommandEnd)]
        begins = [event.msg.call_id for event in seen if isinstance(event.msg, ExecCommandBegin)]
        asked = [event.msg.approval_id for event in seen if isinstance(event.msg, ExecApprovalRequest)]
        assert (ends, begins, asked) == (["seen"], ["open"], ["open"])
        skipped = sum(event.msg.count for event in seen if isinstance(event.msg, EventsSkipped))
        assert skipped + len(seen) - 1 == 7 + MOST_EVENTS

    run(script)


NEEDED: list[EventMsg] = [
    TaskComplete(),
    TurnAborted(reason="interrupted"),
    ErrorEvent(message="broken"),
    ShutdownComplete(),
    PlanProposed(id="p", plan="first this"),
    SessionConfigured(
        session_id="s",
        model="m",
        cwd=Path("/"),
        approval_policy="never",
        sandbox_mode="read-only",
        history_items=0,
    ),
]


@pytest.mark.parametrize("msg", NEEDED, ids=lambda msg: msg.type)
def test_events_that_a_frontend_waits_for_are_never_skipped(
    monkeypatch: pytest.MonkeyPatch, msg: EventMsg
) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 0)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", msg)
        assert [event.msg for event in await rest(log, reader)] == [msg]

    run(script)


ITEM = QueueEntry(id="q", items=[TextInput(text="x" * 40)])
SIZES: list[tuple[EventMsg, int]] = [
    (WarningEvent(message="x" * 40), 40),
    (AgentMessageDelta(delta="x" * 40), 40 - len("agent_message_delta")),
    (output("x" * 30), 40 - len("exec_command_output_delta")),
    (QueueChanged(entries=[ITEM] * 40), 40 - len("queue_changed")),
    (McpOffersChanged(server="x" * 30, kinds=["tools", "tools"]), 40),
    (
        McpListToolsResponse(
            tools={"a": McpTool(server="x" * 10, name="t", input_schema={"b": ["x" * 20, "x" * 9, 5]})}
        ),
        40,
    ),
]


@pytest.mark.parametrize(("msg", "size"), SIZES, ids=[msg.type for msg, _ in SIZES])
def test_the_texts_of_an_event_count(monkeypatch: pytest.MonkeyPatch, msg: EventMsg, size: int) -> None:
    size += len(msg.type)
    kept: list[EventMsg] = []

    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", msg)
        kept.extend(event.msg for event in await rest(log, reader))

    for limit in (size, size - 1):
        monkeypatch.setattr(events, "MOST_CHARACTERS", limit)
        run(script)
    assert kept == [msg, EventsSkipped(count=1)]


def test_a_reader_that_never_reads_uses_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_CHARACTERS", 2**18)

    async def script(log: EventLog) -> None:
        reader = log.reader()
        reader._most_characters = 2**18
        tracemalloc.start()
        try:
            for number in range(300):
                log.publish("1", begin(str(number)))
                for _ in range(4):
                    log.publish("1", output("x" * 6_000, str(number)))
                log.publish("1", end(str(number)))
                log.publish("1", AgentMessage(message="m" * 5_000))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 4 * 2**20

    run(script)


def test_a_withdrawal_is_dropped_only_together_with_its_question() -> None:
    def asked(name: str) -> ElicitationRequest:
        return ElicitationRequest(id=name, server="s", message="?", requested_schema={})

    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", asked("seen"))
        assert (await anext(reader)).msg == asked("seen")
        log.publish("1", ElicitationWithdrawn(id="seen", server="s"))
        for number in range(MOST_EVENTS):
            log.publish("1", asked(str(number)))
            log.publish("1", ElicitationWithdrawn(id=str(number), server="s"))
        assert reader.waiting < MOST_EVENTS
        left = [event.msg for event in await rest(log, reader)]
        assert left[0] == ElicitationWithdrawn(id="seen", server="s")

    run(script)


def test_a_question_is_closed_by_its_answer_its_withdrawal_or_the_end() -> None:
    async def script(log: EventLog) -> None:
        closed: list[str] = []

        async def wait(name: str) -> None:
            await log.until_closed(name)
            closed.append(name)

        await log.until_closed("never asked")
        async with anyio.create_task_group() as tasks:
            log.publish("1", TaskStarted())
            for name in ("answered", "withdrawn", "ended"):
                log.publish("1", ElicitationRequest(id=name, server="s", message="?", requested_schema={}))
                tasks.start_soon(wait, name)
            await anyio.wait_all_tasks_blocked()
            log.publish("1", ElicitationWithdrawn(id="withdrawn", server="s"))
            await anyio.wait_all_tasks_blocked()
            assert closed == ["withdrawn"]
            log.open.answered("answered")
            log.publish("1", WarningEvent(message="anything"))
            await anyio.wait_all_tasks_blocked()
            assert closed == ["withdrawn", "answered"]
            log.publish("1", TaskComplete())
        assert closed == ["withdrawn", "answered", "ended"]
        assert log._readers == []
        log.publish("2", question("open"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, "open")
            await anyio.wait_all_tasks_blocked()
            log.close()
        assert closed[-1] == "open"

    run(script)
