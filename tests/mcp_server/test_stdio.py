"""Reading and writing lines without threads."""

import os
import socket
from pathlib import Path

import anyio
import pytest

from code_mcp_client.framing import Line, OversizeLine
from code_mcp_server.stdio import line_writer, lines_of


async def read(descriptor: int, limit: int = 2**20) -> list[Line]:
    return [line async for line in lines_of(descriptor, limit)]


@pytest.mark.parametrize(
    "data", [b"", b"one", b"one\ntwo\n", b"\n\nx", "ü\xff\n".encode("latin-1"), b"a" * 300_000]
)
def test_lines_arrive_completely(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "input").write_bytes(data)
    with (tmp_path / "input").open("rb") as file:
        lines = anyio.run(read, file.fileno())
    assert [bytes(line) for line in lines if not isinstance(line, OversizeLine)] == data.splitlines()


def test_a_line_that_is_too_long_is_skipped_and_the_next_one_read(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b'{"id":7,' + b"x" * 5_000 + b"}\nnext\n")
    with (tmp_path / "input").open("rb") as file:
        long, following = anyio.run(read, file.fileno(), 1_000)
    assert isinstance(long, OversizeLine)
    assert long.head.startswith(b'{"id":7,')
    assert following == b"next"


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_writing_to_a_client_that_does_not_read_does_not_block(kind: str) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        ends = socket.socketpair()
        reader, writer = (end.detach() for end in ends)
    sent = b"x" * 300_000 + b"\n"

    async def main() -> bytes:
        received = b""
        with line_writer(writer) as lines:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lines.flush_forever)
                with anyio.fail_after(2):
                    await lines.send(sent)
                while len(received) < len(sent):
                    received += await anyio.to_thread.run_sync(os.read, reader, 2**20)
                tasks.cancel_scope.cancel()
        return received

    try:
        assert anyio.run(main) == sent
        assert os.get_blocking(writer)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_disconnected_client_is_a_broken_pipe() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()

    async def main() -> None:
        with line_writer(ours.fileno()) as lines:
            for _ in range(3):
                await lines.send(b"x\n")

    with ours, pytest.raises(BrokenPipeError):
        anyio.run(main)
