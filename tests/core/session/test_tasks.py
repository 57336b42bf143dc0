"""The events of a task."""

import anyio
import pytest

from code_core.protocol.agent_events import AgentMessageDelta
from code_core.protocol.events import BackgroundEvent, Event, EventMsg, EventOrder
from code_core.session.events.log import EventLog
from code_core.session.tasks.task import Report


def emitted(msg: EventMsg, order: EventOrder | None = None) -> Event:
    async def main() -> Event:
        log = EventLog()
        reader = log.reader()
        await Report("7", "turn_a", log).emit(msg, order)
        return await anext(reader)

    return anyio.run(main)


@pytest.mark.parametrize(("index", "item_id"), [(3, "turn_a-2-3"), (0, "turn_a-2-0"), (None, "turn_a-2-0")])
def test_streamed_events_name_their_item(index: int | None, item_id: str) -> None:
    order = EventOrder(request_ordinal=2, output_index=index)
    event = emitted(AgentMessageDelta(delta="a"), order)
    assert event.msg == AgentMessageDelta(delta="a", item_id=item_id)
    assert (event.id, event.order) == ("7", order)


def test_without_a_position_in_the_stream_there_is_no_item() -> None:
    event = emitted(AgentMessageDelta(delta="a"))
    assert event.msg == AgentMessageDelta(delta="a")
    assert event.order is None


def test_events_without_an_item_are_not_changed() -> None:
    order = EventOrder(request_ordinal=2, output_index=3)
    assert emitted(BackgroundEvent(message="hello"), order).msg == BackgroundEvent(message="hello")
