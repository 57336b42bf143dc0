"""Commands that no sandbox holds end with the agent, however that ends.

A small process waits for the agent's end, also by a signal that nobody can handle. It is
started before the first such command, and knows what to end by session and by a variable
in the environment, which everything that a command starts inherits.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from code_core.process.spawn import PIPES, Streams, start_command

VARIABLE = "CODE_AGENT_RUN"

_lock = Lock()
_guardian: "_Guardian | None" = None


def start_guarded(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], streams: Streams = PIPES
) -> subprocess.Popen[bytes]:
    """Start `argv` like `start_command`; it and what it starts end with this process.

    What it leaves running when it ends goes on until then.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    guardian = _current()
    process = start_command(argv, cwd, {**environment, VARIABLE: guardian.mark}, streams=streams)
    guardian.note(f"+{process.pid}\n")
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """Tell the guardian that `process` has ended: its number may become another's."""
    if _guardian is not None:
        _guardian.note(f"-{process.pid}\n")


class _Guardian:
    """The process that waits, and the pipe that speaks to it."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        program = str(Path(__file__).with_name("guardian_exec.py"))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", program, f"{VARIABLE}={self.mark}"],
            cwd="/",
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def note(self, line: str) -> None:
        """Tell it; one that has ended, or does not read, is not waited for."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe
        with suppress(OSError):
            os.write(self.process.stdin.fileno(), line.encode())


def _current() -> _Guardian:
    global _guardian  # noqa: PLW0603 - one for the process
    with _lock:
        if _guardian is None or _guardian.process.poll() is not None:
            _guardian = _Guardian()
            assert _guardian.process.stdin is not None  # noqa: S101 - a pipe
            os.set_blocking(_guardian.process.stdin.fileno(), False)
        return _guardian


def _forget() -> None:
    """In a forked child: the guardian is the parent's, and the child must not keep its input open."""
    global _guardian  # noqa: PLW0603 - as above
    if _guardian is not None:
        with suppress(OSError):
            assert _guardian.process.stdin is not None  # noqa: S101 - a pipe
            os.close(_guardian.process.stdin.fileno())
        _guardian = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
