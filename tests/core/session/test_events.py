import base64
from collections import defaultdict

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentReasoningDelta
from code_core.protocol.events import (
    Event,
    EventMsg,
    EventOrder,
    ExecCommandOutputDelta,
    TaskStarted,
    WarningEvent,
)
from code_core.session.events.log import (
    LONGEST_DELTA,
    TAKEN_IN_A_ROW,
    EventLog,
)
from core.session.event_logs import begin, end, output, rest, run, texts


def test_event_numbers_count_up_by_one_within_a_submission() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for submission in ("0", "1", "0", "1", "1"):
            log.publish(submission, WarningEvent(message="x"))
        numbers = [(event.id, event.event_seq) for event in await rest(log, reader)]
        assert numbers == [("0", 0), ("1", 0), ("0", 1), ("1", 1), ("1", 2)]

    run(script)


def test_deltas_merge_until_a_reader_takes_them() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for piece in "abc":
            log.publish("1", output(piece))
        first = await anext(reader)
        assert (texts([first]), first.event_seq) == (["abc"], 0)
        log.publish("1", output("d"))
        log.publish("1", output("e"))
        seen = await rest(log, reader)
        assert (texts(seen), [event.event_seq for event in seen]) == (["de"], [1])

    run(script)


def test_only_neighbours_of_one_stream_merge() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", output("a"))
        log.publish("1", output("!", stream="stderr"))
        log.publish("1", output("b"))
        log.publish("1", WarningEvent(message="between"))
        log.publish("1", output("c"))
        log.publish("1", output("x", call_id="other"))
        log.publish("1", output("d"))
        assert texts(await rest(log, reader)) == ["a", "!", "b", "cd", "x"]

    run(script)


def test_messages_at_other_positions_of_the_stream_do_not_merge() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for index in (0, 0, 1):
            log.publish("1", AgentMessageDelta(delta="x"), EventOrder(request_ordinal=1, output_index=index))
        seen = [
            event.msg.delta for event in await rest(log, reader) if isinstance(event.msg, AgentMessageDelta)
        ]
        assert seen == ["xx", "x"]

    run(script)


def test_messages_of_other_requests_do_not_merge() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for request in (1, 2):
            log.publish(
                "1", AgentMessageDelta(delta="x"), EventOrder(request_ordinal=request, output_index=0)
            )
        assert [event.msg for event in await rest(log, reader)] == [AgentMessageDelta(delta="x")] * 2

    run(script)


def test_reasoning_between_does_not_keep_a_message_from_growing() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", AgentMessageDelta(delta="a"))
        log.publish("1", AgentReasoningDelta(delta="r"))
        log.publish("1", AgentMessageDelta(delta="b"))
        seen = [event.msg for event in await rest(log, reader)]
        assert seen == [AgentMessageDelta(delta="ab"), AgentReasoningDelta(delta="r")]

    run(script)


def test_merged_deltas_have_a_limited_length() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for _ in range(100):
            log.publish("1", output("x" * 1_000))
        seen = await rest(log, reader)
        assert (
            max(len(event.msg.chunk) for event in seen if isinstance(event.msg, ExecCommandOutputDelta))
            <= LONGEST_DELTA
        )
        assert "".join(texts(seen)) == "x" * 100_000

    run(script)


def test_a_delta_of_exactly_the_longest_length_merges() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        half = "x" * (LONGEST_DELTA // 2)
        for piece in (half, half, "y", "z"):
            log.publish("1", AgentMessageDelta(delta=piece))
        seen = [event.msg for event in await rest(log, reader)]
        assert seen == [AgentMessageDelta(delta=half + half), AgentMessageDelta(delta="yz")]

    run(script)


def test_nothing_is_published_after_the_end() -> None:
    async def script(log: EventLog) -> None:
        log.publish("1", WarningEvent(message="x"))
        log.close()
        log.publish("1", begin("c"))
        log.publish("2", AgentMessageDelta(delta="x"))
        assert log.open.events() == []
        assert (log.last_number("1"), log.last_number("2")) == (0, 0)
        log.publish("1", WarningEvent(message="x"))
        assert log.last_number("1") == 0
        assert [
            event.msg.type async for event in log.reader([Event(id="0", event_seq=0, msg=begin("d"))])
        ] == ["exec_command_begin"]

    run(script)


def test_an_event_keeps_its_position_in_the_models_stream() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        order = EventOrder(request_ordinal=2, output_index=3)
        for number in range(3):
            log.publish("1", AgentMessage(message=str(number)), order)
        assert log.last_number("1") == 2
        assert [event.order for event in await rest(log, reader)] == [order] * 3

    run(script)


def test_a_slower_reader_gets_the_same_events() -> None:
    async def script(log: EventLog) -> None:
        slow, fast = log.reader(), log.reader()
        seen = []
        for number in range(10):
            log.publish("1", output(str(number)))
            seen.append(await anext(fast))
        assert await rest(log, slow) == seen

    run(script)


def test_a_cancelled_reader_loses_nothing() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for number in range(3):
            with anyio.move_on_after(0) as scope:
                await anext(reader)
            assert scope.cancelled_caught
            log.publish("1", WarningEvent(message=str(number)))
        assert [event.event_seq for event in await rest(log, reader)] == [0, 1, 2]

    run(script)


def test_a_waiting_reader_is_woken_and_ends_with_the_log() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        seen: list[Event] = []

        async def read() -> None:
            async for event in reader:
                seen.append(event)  # noqa: PERF401 - one by one, as they come

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            log.publish("1", WarningEvent(message="x"))
            await anyio.wait_all_tasks_blocked()
            assert len(seen) == 1
            log.close()

    run(script)


def test_a_reader_with_many_events_lets_other_tasks_run() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        for _ in range(1_000):
            log.publish("1", WarningEvent(message="x"))
        waiting_then: list[int] = []

        async def other() -> None:
            waiting_then.append(reader.waiting)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await rest(log, reader)
        assert waiting_then[0] > 900

    run(script)


def test_a_reader_lets_others_run_once_in_a_while_and_not_after_each_event() -> None:
    async def script(log: EventLog) -> None:
        reader, turns = log.reader(), 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await anyio.lowlevel.checkpoint()

        for _ in range(10 * TAKEN_IN_A_ROW):
            log.publish("1", WarningEvent(message="x"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await anyio.lowlevel.checkpoint()
            before = turns
            for _ in range(10 * TAKEN_IN_A_ROW):
                await anext(reader)
            assert turns - before == 10
            tasks.cancel_scope.cancel()

    run(script)


def test_a_late_reader_gets_what_is_open() -> None:
    async def script(log: EventLog) -> None:
        early = log.reader()
        log.publish("1", TaskStarted())
        log.publish("1", AgentMessageDelta(delta="done"))
        log.publish("1", AgentMessage(message="done"))
        log.publish("1", begin("ended"))
        log.publish("1", end("ended"))
        log.publish("1", begin("open"))
        log.publish("1", AgentMessageDelta(delta="Hel"))
        log.publish("1", AgentMessageDelta(delta="lo"))
        late = log.reader(log.open.events())
        log.publish("1", AgentMessageDelta(delta=" there"))
        assert early.waiting == 8
        seen = await rest(log, late)
        assert [event.msg.type for event in seen] == [
            "task_started",
            "exec_command_begin",
            "agent_message_delta",
            "agent_message_delta",
        ]
        assert [event.msg.delta for event in seen if isinstance(event.msg, AgentMessageDelta)] == [
            "Hello",
            " there",
        ]

    run(script)


def test_a_closed_reader_is_forgotten() -> None:
    async def script(log: EventLog) -> None:
        reader = log.reader()
        log.publish("1", WarningEvent(message="x"))
        reader.close()
        log.publish("1", WarningEvent(message="y"))
        assert [event async for event in reader] == []
        assert not reader.waiting

    run(script)


MESSAGES = st.one_of(
    st.builds(
        output,
        st.text("ab", min_size=1, max_size=3),
        st.sampled_from("cd"),
        st.sampled_from(["stdout", "stderr"]),
    ),
    st.builds(AgentMessageDelta, delta=st.text("xy", min_size=1, max_size=3)),
    st.builds(WarningEvent, message=st.just("w")),
)
STEPS = st.lists(st.tuples(st.sampled_from("12"), MESSAGES) | st.sampled_from([0, 1, 2]), max_size=60)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_every_reader_gets_all_text_without_gaps_whenever_it_reads(
    steps: list[tuple[str, EventMsg] | int],
) -> None:
    async def script(log: EventLog) -> None:
        readers = [log.reader() for _ in range(3)]
        seen: list[list[Event]] = [[], [], []]
        sent: dict[tuple[str, str, str], str] = defaultdict(str)
        for step in steps:
            if isinstance(step, int):
                if readers[step].waiting:
                    seen[step].append(await anext(readers[step]))
            else:
                log.publish(*step)
                _add(sent, *step)
        log.close()
        for reader, events_seen in zip(readers, seen, strict=True):
            events_seen += [event async for event in reader]
            numbers: dict[str, list[int]] = defaultdict(list)
            read: dict[tuple[str, str, str], str] = defaultdict(str)
            for event in events_seen:
                numbers[event.id].append(event.event_seq)
                _add(read, event.id, event.msg)
            assert all(given == list(range(len(given))) for given in numbers.values())
            assert read == sent

    run(script)


def _add(texts_of: dict[tuple[str, str, str], str], submission: str, msg: EventMsg) -> None:
    match msg:
        case ExecCommandOutputDelta():
            texts_of[submission, msg.call_id, msg.stream] += base64.b64decode(msg.chunk).decode()
        case AgentMessageDelta():
            texts_of[submission, "message", ""] += msg.delta
        case _:
            texts_of[submission, "warning", ""] += "w"
