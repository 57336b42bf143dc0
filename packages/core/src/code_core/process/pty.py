"""The input and output of a command that outlives a call: a terminal or a pipe."""

import os
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from code_core.frozen import frozen
from code_core.process.spawn import Streams

ROWS, COLUMNS = 40, 120


@frozen
class Line:
    """Both ends of a command's connection.

    Attributes:
        fd: our end, which provides its output and, for a terminal, accepts input.
        streams: the descriptors to start it with.
    """

    fd: int
    streams: Streams


@contextmanager
def terminal_line(rows: int = ROWS, columns: int = COLUMNS) -> Iterator[Line]:
    """Open a new terminal; the context closes the command's end, and ours too on failure."""
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
    """Open a pipe for output and errors, without input; closed like a terminal."""
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
    """Return the command to start so that `argv` leads a session with its standard input as terminal."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("terminal_exec.py")), *argv]
