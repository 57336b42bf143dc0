"""Reads lines of standard input without a thread, so that nothing keeps the program from ending."""

import os
import select
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

import anyio

READ_SIZE = 64 * 1024
PASTE_GAP = 0.03
"""Seconds within which a terminal delivers the next part of a paste. Nobody types that fast."""
LONGEST_LINE = 4095 if sys.platform == "linux" else 1023
"""Bytes of a line that a terminal passes on; it drops the rest. Source: `N_TTY_BUF_SIZE` of Linux, `MAX_CANON` of BSD."""
MOST_HELD = 16 * 1024 * 1024
"""Limit on bytes read ahead."""


class LineInput:
    """Reads lines from a file descriptor; waiting for one can be cancelled."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.is_terminal = os.isatty(fd)
        self._buffer = b""
        self._held = b""
        self._ended = False

    async def line(self) -> str | None:
        """Return the next line without its end, or None at the end of the input.

        Text on a terminal that is not confirmed with Enter when the input ends does not count.
        """
        while b"\n" not in self._buffer and not self._ended:
            chunk = await self._read()
            self._buffer += chunk
            self._ended = not chunk
        if not self._buffer or (self.is_terminal and b"\n" not in self._buffer):
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def entry(self, on_unfinished: Callable[[], object] = lambda: None) -> str | None:
        """Return the next line, on a terminal with the lines pasted after it, or None at the end of the input.

        Args:
            on_unfinished: called if the last line of a paste has no line ending, so that Enter must be pressed.
        """
        line = await self.line()
        if line is None or not self.is_terminal:
            return line
        lines = [line]
        while await self.is_followed():
            unconfirmed = bool(self._buffer) and b"\n" not in self._buffer
            if unconfirmed:
                on_unfinished()
            line = await self.line()
            if line is None:
                return None if unconfirmed else "\n".join(lines)
            lines.append(line)
        return "\n".join(lines)

    def cut_off(self, text: str) -> str | None:
        """The problem, if the terminal has cut off a line of `text`, or None."""
        if not self.is_terminal or not any(len(line.encode()) >= LONGEST_LINE for line in text.split("\n")):
            return None
        return (
            f"(nothing was sent: terminals cut off a line after {LONGEST_LINE:,} bytes. "
            "Enter it in several lines, or put it in a file and name the file)"
        )

    def discard(self) -> None:
        """Discard what was read ahead."""
        self._buffer = b""

    async def is_followed(self) -> bool:
        """Whether something was entered on the terminal right after the last line: then both were pasted.

        Text without Enter counts, too. Waits for at most `PASTE_GAP`.
        """
        if not self.is_terminal or self._buffer or self._ended:
            return self.is_terminal and bool(self._buffer)
        with anyio.move_on_after(PASTE_GAP):
            await anyio.wait_readable(self._fd)
            return True
        self._buffer = _unfinished(self._fd)
        return bool(self._buffer)

    def hold(self, first: str | None = None) -> tuple[list[str], str]:
        """Set aside everything entered until now, `first` before the rest, so that `line` returns only later input.

        Returns the lines, which `release` restores, and text without a line ending, which is dropped because it
        was not confirmed.
        """
        if first is not None:
            self._buffer = first.encode() + b"\n" + self._buffer
        while not self._ended and len(self._buffer) < MOST_HELD and self._is_ready():
            chunk = os.read(self._fd, READ_SIZE)
            self._buffer += chunk
            self._ended = not chunk
        whole, end, unfinished = self._buffer.rpartition(b"\n")
        if self._ended:
            whole, end, unfinished = self._buffer, b"", b""
        elif self.is_terminal:
            unfinished += _unfinished(self._fd)
        self._buffer = b""
        self._held += whole + end
        return whole.decode("utf-8", "replace").split("\n"), unfinished.decode("utf-8", "replace")

    def drop(self) -> str:
        """Discard what was entered on the terminal since the last `hold`, and return it."""
        if not self.is_terminal:
            return ""
        held, self._held = self._held, b""
        lines, unfinished = self.hold()
        self._held = held
        return "\n".join((*lines, unfinished)).strip()

    def release(self) -> None:
        """Restore what was held, before everything else."""
        self._buffer, self._held = self._held + self._buffer, b""

    def _is_ready(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], 0)
        return bool(ready)

    async def _read(self) -> bytes:
        with suppress(PermissionError):  # a regular file, which is always readable
            await anyio.wait_readable(self._fd)
        return os.read(self._fd, READ_SIZE)


def _unfinished(fd: int) -> bytes:
    """Text typed without Enter, which a terminal reveals only outside line mode."""
    try:
        before = termios.tcgetattr(fd)
        now = [*before[:3], before[3] & ~termios.ICANON, *before[4:6], [*before[6]]]
        now[6][termios.VMIN] = now[6][termios.VTIME] = 0
        termios.tcsetattr(fd, termios.TCSANOW, now)
    except termios.error:
        return b""
    try:
        return os.read(fd, READ_SIZE)
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)
