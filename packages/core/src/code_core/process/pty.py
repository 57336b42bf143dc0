"""Where a command that outlives a call reads and writes: a terminal of its own, or a pipe."""

import os
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from code_core.process.spawn import Streams

ROWS, COLUMNS = 40, 120


@dataclass(frozen=True, slots=True)
class Line:
    """Our end of what a command is connected with, and its end.

    Attributes:
        fd: what it prints comes from here; a terminal also takes input.
        streams: what to start it with.
    """

    fd: int
    streams: Streams


@contextmanager
def terminal_line(rows: int = ROWS, columns: int = COLUMNS) -> Iterator[Line]:
    """A new terminal; the context closes the command's end, and ours too if it fails."""
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (rows, columns))
        os.set_blocking(ours, False)
        yield Line(ours, Streams(theirs, theirs, theirs))
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


@contextmanager
def pipe_line() -> Iterator[Line]:
    """A pipe for output and errors, without input; closed like a terminal."""
    ours, theirs = os.pipe()
    try:
        os.set_blocking(ours, False)
        yield Line(ours, Streams(subprocess.DEVNULL, theirs, theirs))
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


def with_terminal(argv: Sequence[str]) -> list[str]:
    """What to start so that `argv` leads a session whose terminal is its standard input."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("terminal_exec.py")), *argv]
