"""How one response is read: in bursts, within bounds, for as long as content comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.errors import StreamBroken
from code_core.model import event_stream
from code_core.model.errors import HttpError
from code_core.model.event_stream import EventStream
from code_core.model.request_log import RequestLog

Step = bytes | float | Exception
"""What a server does next: it sends a chunk, waits for a number of seconds, or breaks the connection."""


@dataclass
class Response:
    """What is read of a response; counts the chunks that were read."""

    steps: list[Step]
    headers: dict[str, str] = field(default_factory=dict)
    taken: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        for step in self.steps:
            match step:
                case bytes():
                    self.taken += 1
                    yield step
                case float():
                    await anyio.sleep(step)
                case Exception():
                    raise step


def chunk(number: int) -> bytes:
    return b"data: %d\n\n" % number


@asynccontextmanager
async def reading(response: Any, idle: float = 60.0) -> AsyncIterator[AsyncIterator[list[int]]]:
    stream = EventStream("P", idle, RequestLog("http://p", 1, 0), lambda _: None)

    async def numbers(batches: AsyncIterator[Any]) -> AsyncIterator[list[int]]:
        async for batch in batches:
            yield [int(event.data) for event in batch]

    async with stream.reading(response) as batches:
        yield numbers(batches)


async def all_of(response: Any, idle: float = 60.0, slowness: float = 0.0) -> list[list[int]]:
    got: list[list[int]] = []
    async with reading(response, idle) as batches:
        async for batch in batches:
            got.append(batch)
            await anyio.sleep(slowness)
    return got


def test_a_burst_is_passed_on_in_one_step() -> None:
    burst = [chunk(number) for number in range(1_000)]
    assert anyio.run(all_of, Response([*burst])) == [[*range(1_000)]]


def test_later_data_does_not_delay_earlier_data() -> None:
    async def main() -> None:
        async with reading(Response([chunk(1), 60.0, chunk(2)])) as batches:
            with anyio.fail_after(5):
                assert await anext(batches) == [1]

    anyio.run(main)


def test_data_before_a_break_is_passed_on() -> None:
    async def main() -> None:
        async with reading(Response([chunk(1), chunk(2), HttpError("reset")])) as batches:
            assert await anext(batches) == [1, 2]
            with pytest.raises(StreamBroken, match=r"^P: the stream broke: reset$"):
                await anext(batches)

    anyio.run(main)


@pytest.mark.parametrize(
    "steps", [[5.0], [chunk(1), 5.0], [chunk(1), b": alive\n\n", 0.1] + [b"\n", 0.1] * 20]
)
def test_silence_and_comments_break_a_stream(steps: list[Step]) -> None:
    with pytest.raises(StreamBroken, match=r"^P sent nothing for 0\.2 seconds$"):
        anyio.run(all_of, Response(steps), 0.2)


def test_the_readers_own_time_does_not_count_as_silence() -> None:
    response = Response([chunk(1), 0.01, chunk(2), 0.01, chunk(3)])
    assert anyio.run(all_of, response, 0.2, 0.3) == [[1], [2, 3]]


def test_the_server_waits_for_a_reader_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_UNREAD_BYTES", 10 * len(chunk(0)))
    response = Response([chunk(number % 10) for number in range(1_000)])
    taken: list[int] = []

    async def main() -> None:
        count = 0
        async with reading(response) as batches:
            async for batch in batches:
                count += len(batch)
                taken.append(response.taken - count)
                await anyio.lowlevel.checkpoint()
        assert count == 1_000

    anyio.run(main)
    assert max(taken) <= 11


def test_an_error_in_the_body_of_the_context_passes_through() -> None:
    async def main() -> None:
        async with reading(Response([chunk(1), 60.0])):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        anyio.run(main)


def test_leaving_does_not_wait() -> None:
    async def main() -> None:
        with anyio.fail_after(5):
            async with reading(Response([chunk(1), 60.0])) as batches:
                await anext(batches)

    anyio.run(main)
