"""Ends unconfined commands with the agent, however the agent ends.

A small process waits for the agent to end, even by an uncatchable signal. It is started before the
first such command and identifies processes to end by session, and by a variable in the
environment, which all descendants inherit.
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
    argv: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    streams: Streams = PIPES,
    program: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` like `start_command`; the command and its descendants end with this process.

    Anything it leaves running keeps running until then.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    guardian = _current()
    process = start_command(
        argv, cwd, {**environment, VARIABLE: guardian.mark}, streams=streams, program=program
    )
    guardian.note(f"+{process.pid}\n")
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """Tell the guardian that `process` has ended, because its pid may be reused."""
    if _guardian is not None:
        _guardian.note(f"-{process.pid}\n")


class _Guardian:
    """The guardian process and the pipe to it."""

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
        """Send it a line, without waiting if it has ended or does not read."""
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
    """Close a forked child's copy of the pipe, because the guardian belongs to the parent."""
    global _guardian  # noqa: PLW0603 - one for the process
    if _guardian is not None:
        with suppress(OSError):
            assert _guardian.process.stdin is not None  # noqa: S101 - a pipe
            os.close(_guardian.process.stdin.fileno())
        _guardian = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
