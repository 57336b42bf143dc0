"""Standard input and output as protocol lines, without threads.

Neither waiting for a client nor a client that does not read may keep the server from ending.
"""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import anyio

from code_mcp_client.framing import Line, LineBuffer
from code_mcp_client.pipes import PipeWriter

READ_SIZE = 256 * 1024
LONGEST_LINE = 256 * 2**20
"""Limit for one message in bytes; longer ones are skipped and refused."""


@dataclass(frozen=True, slots=True)
class Stdio:
    """Our own descriptors for the original standard input and output."""

    input: int
    output: int


@contextmanager
def taken_stdio() -> Iterator[Stdio]:
    """Take over standard input and output: others read nothing from 0, and what they print to 1 goes to stderr.

    Child processes must not read our messages, and no `print` may end up between our answers.
    """
    taken = Stdio(os.dup(0), os.dup(1))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    os.close(empty)
    try:
        yield taken
    finally:
        os.dup2(taken.input, 0)
        os.dup2(taken.output, 1)
        os.close(taken.input)
        os.close(taken.output)


async def lines_of(descriptor: int, limit: int = LONGEST_LINE) -> AsyncIterator[Line]:
    """Yield the lines of a descriptor, without line endings; of one longer than `limit` bytes, only its two ends."""
    buffer = LineBuffer(limit)
    while chunk := await _read(descriptor):
        lines = buffer.feed(chunk)
        while lines:
            yield lines.popleft()
    if (rest := buffer.finish()) is not None:
        yield rest


@contextmanager
def line_writer(descriptor: int) -> Iterator[PipeWriter]:
    """Provide a writer of lines that does not block on pipes and sockets. The caller starts its `flush_forever`."""
    mode = os.fstat(descriptor).st_mode
    waits = (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and os.get_blocking(descriptor)
    if waits:
        os.set_blocking(descriptor, False)
    try:
        yield PipeWriter(descriptor)
    finally:
        if waits:
            os.set_blocking(descriptor, True)


async def _read(descriptor: int) -> bytes:
    while True:
        with suppress(PermissionError):  # a regular file, which is always readable
            await anyio.wait_readable(descriptor)
        try:
            return os.read(descriptor, READ_SIZE)
        except BlockingIOError:  # another reader of the same descriptor was faster
            continue
        except ConnectionResetError:
            return b""
