"""Standard input as lines, read without a thread: waiting for a client must not keep the server from ending."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import anyio

READ_SIZE = 256 * 1024
LONGEST_LINE = 256 * 2**20
"""Bytes of one message; a longer one ends the connection."""


@contextmanager
def taken_stdin() -> Iterator[int]:
    """A descriptor of standard input, which others get to see empty meanwhile: a child must not read our messages."""
    ours, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    try:
        yield ours
    finally:
        os.dup2(ours, 0)
        os.close(ours)


class InputLines:
    """The lines of a descriptor, with their ends; what is not UTF-8 is replaced."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def __aiter__(self) -> AsyncIterator[str]:
        parts: list[bytes] = []
        size = 0
        while chunk := await self._read():
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                yield b"".join((*parts, line, b"\n")).decode("utf-8", "replace")
                parts, size = [], 0
            if rest:
                parts.append(rest)
                size += len(rest)
            if size > LONGEST_LINE:
                return
        if parts:
            yield b"".join(parts).decode("utf-8", "replace")

    async def _read(self) -> bytes:
        with suppress(PermissionError):  # of a regular file, which is always readable
            await anyio.wait_readable(self._fd)
        return os.read(self._fd, READ_SIZE)
