"""Real processes to harden and to attack, all without root's privileges."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# As root both sides drop every capability: what is left is a plain user, with the same uid.
UNPRIVILEGED: tuple[str, ...] = (
    ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.getuid() == 0 else ()
)
CAN_DROP_PRIVILEGES = os.getuid() != 0 or shutil.which("setpriv") is not None


class Victim:
    """A process that prints a line when it is ready, and continues when it gets one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the victim ended early"
        return line.strip()

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def errors(self) -> str:
        """All of stderr, which ends with the process even if a tracer holds its exit status."""
        assert self._process.stderr is not None
        return self._process.stderr.read()

    def end(self) -> tuple[int, str]:
        """Exit status and stderr."""
        _, errors = self._process.communicate(timeout=30)
        return self._process.returncode, errors


@contextmanager
def victim(code: str) -> Iterator[Victim]:
    """A process that runs `code`; killed when left."""
    with subprocess.Popen(
        [*UNPRIVILEGED, sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Victim(process)
        finally:
            process.kill()
