"""Landlock with seccomp: what confines commands where there are no user namespaces.

Weaker than bubblewrap: a command may change the mode, times and attributes of files it
owns anywhere, `.git` and the agent's settings inside of a writable directory are not
protected, it sees other processes, and what it leaves behind in a session of its own goes
on running.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.sandbox import Launch, Mechanism, sandbox_environment, seccomp_descriptor
from code_core.sandbox.seccomp import Machine

OLDEST_ABI = 4
"""The first version of Landlock that confines TCP (Linux 6.7)."""

KNOWN_GAPS = (
    "a command can change mode, owner, times and attributes of files outside of the writable directories",
    "`.git` and the agent's settings inside of a writable directory are not protected from commands",
    "a process that a command leaves behind in a session of its own goes on running",
)


class Landlock:
    """Confines commands in a small process that then becomes the command.

    Args:
        machine: the machine that the filter is for.
        python: an interpreter of the version that runs this one.
    """

    mechanism: Mechanism = "landlock"
    protects = False

    def __init__(self, machine: Machine, python: str = sys.executable) -> None:
        self._machine = machine
        self._python = python
        self._path = sorted({_folder_of(name) for name in ("code_process_hardening", "_cffi_backend")})

    @contextmanager
    def confined(
        self,
        argv: Sequence[str],
        confinement: Confinement,
        cwd: Path,  # noqa: ARG002 - inherited from whoever starts it
        environment: Mapping[str, str],
    ) -> Iterator[Launch]:
        """See `Sandbox.confined`."""
        with seccomp_descriptor(self._machine, confinement) as fd:
            settings = {
                "path": self._path,
                "parent": os.getpid(),
                "writable": [str(path) for path in confinement.writable],
                "network": confinement.network,
                "seccomp": fd,
            }
            helper = [self._python, "-I", "-S", str(Path(__file__).with_name("landlock_exec.py"))]
            told = sandbox_environment(self.mechanism, confinement, environment)
            yield Launch([*helper, json.dumps(settings), *argv], told, (fd,))


def _folder_of(name: str) -> str:
    """The folder from which the top-level module `name` is imported."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"{name} is not installed")
    origin = Path(spec.origin)
    return str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)
