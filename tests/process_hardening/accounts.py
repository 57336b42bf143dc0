"""The user who runs the children: an unprivileged one, because root may read every process."""

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNPRIVILEGED_ID = 61234
"""A numeric user that needs no entry in the password file."""


@dataclass(frozen=True)
class Account:
    """A user without privileges, and a Python that it can run."""

    uid: int | None
    python: Path

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.uid, "extra_groups": []}
        return subprocess.Popen(command, **options)

    def run(
        self, command: list[str], timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.start(command, **{**streams, **options}) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def open_to_all(path: Path) -> bool:
    """Whether any user can reach and read `path`."""
    resolved = path.resolve()
    folders = all(folder.stat().st_mode & stat.S_IXOTH for folder in resolved.parents)
    return folders and bool(resolved.stat().st_mode & stat.S_IROTH)


def find_account() -> Account | None:
    """The current user unless it is root; else a user that owns nothing, with a Python it can reach."""
    if os.getuid() != 0:
        return Account(None, Path(sys.executable))
    candidates = [
        Path(sys.executable),
        *(Path(folder, "python3") for folder in ("/usr/bin", "/usr/local/bin")),
    ]
    usable = (path for path in candidates if path.exists() and open_to_all(path) and is_new_enough(path))
    python = next(usable, None)
    return Account(UNPRIVILEGED_ID, python) if python else None


def is_new_enough(python: Path) -> bool:
    check = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
