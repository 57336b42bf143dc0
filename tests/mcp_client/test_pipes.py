import os
from collections.abc import Iterator

import anyio
import pytest

from code_mcp_client.pipes import PipeReader, PipeWriter

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.fixture
def pipe(nothing_left: None) -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:  # the test did
            continue


async def test_draining_before_the_pump_starts_delivers_the_received_data(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, b"abc" * 1000)
    reader, got = PipeReader(read, 1024), list[bytes]()
    reader.drain(10_000)
    with anyio.fail_after(5):
        await reader.pump(got.append)
    assert b"".join(got) == b"abc" * 1000


async def test_draining_ends_although_the_pipe_keeps_filling(pipe: tuple[int, int]) -> None:
    read, write = pipe
    reader = PipeReader(read, 1024)

    def refill(chunk: bytes) -> None:
        os.write(write, chunk)

    os.write(write, b"x" * 1024)
    reader.drain(100_000)
    with anyio.fail_after(5):
        await reader.pump(refill)


async def test_exceptions_of_the_receiver_propagate_from_the_pump(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, b"x")

    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await PipeReader(read, 1024).pump(fail)


async def test_lines_stay_complete_when_their_senders_are_cancelled(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer, reader, got = PipeWriter(write), PipeReader(read, 65536), bytearray()
    lines = [bytes([letter]) * 400_000 + b"\n" for letter in b"abcdef"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.flush_forever)
        for line in lines:
            with anyio.move_on_after(0.01):
                await writer.send(line)
        tasks.start_soon(reader.pump, got.extend)
        with anyio.fail_after(5):
            await writer.send(b"last\n")
            while not got.endswith(b"last\n"):
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    *whole, last, nothing = bytes(got).split(b"\n")
    assert (last, nothing) == (b"last", b"")
    assert len(whole) >= 3
    assert all(line + b"\n" in lines for line in whole)


async def test_a_sender_that_waits_for_room_gets_an_error_if_the_pipe_breaks(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = PipeWriter(write)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.flush_forever)
        writer.send_nowait(b"x" * 2_000_000)
        os.close(read)
        with anyio.fail_after(5), pytest.raises(BrokenPipeError):
            await writer.send(b"more\n")
        with pytest.raises(BrokenPipeError):
            writer.send_nowait(b"more\n")
