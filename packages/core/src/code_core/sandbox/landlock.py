"""Landlock with seccomp, which confines commands where user namespaces are not available.

It is weaker than bubblewrap: a command may change the mode and times of its user's files
anywhere, git's and the agent's settings in a writable directory are not protected, and other
processes are visible. The agent's own files are protected by granting access to the rest of
their directory piece by piece.
"""

import atexit
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from code_core.frozen import frozen
from code_core.process.spawn import SpawnError, start_command
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.sandbox import Launch, Mechanism, Sandbox, sandbox_environment
from code_core.sandbox.seccomp import seccomp_program
from code_core.sandbox.system_calls import Machine

OLDEST_ABI = 4
"""The first version of Landlock that restricts TCP (Linux 6.7)."""

KNOWN_GAPS = (
    "a command can change mode, owner and times of files outside the writable directories",
    "git's and the agent's settings inside a writable directory are not protected: a change is a warning",
    "a command can read saved API keys and the tokens of MCP servers",
)
SIGNALS_ABI = 6
SIGNALS_GAP = "a command can end other processes of the same user (Linux 6.12 prevents it)"


class Landlock(Sandbox):
    """Confines each command with a small helper process.

    The helper takes 20 ms to start, so after each command one is started for the next; it ends with
    the agent. It keeps running during the command and ends what the command leaves behind.

    Args:
        machine: the architecture for the system call filter.
        python: an interpreter of the same version as this one.
    """

    mechanism: Mechanism = "landlock"
    protects = False

    def __init__(self, machine: Machine, python: str = sys.executable) -> None:
        self._machine = machine
        self._python = python
        self._folders = sorted({_folder_of(name) for name in ("code_process_hardening", "_cffi_backend")})
        self._waiting: _Waiting | None = None

    @contextmanager
    def confined(
        self,
        argv: Sequence[str],
        confinement: Confinement,
        cwd: Path,  # noqa: ARG002 - inherited from the starting process
        environment: Mapping[str, str],
    ) -> Iterator[Launch]:
        """See `Sandbox.confined`."""
        variables = sandbox_environment(self.mechanism, confinement, environment)
        with _memory() as memory:
            memory.write(marshal.dumps(self._settings(confinement)))
            memory.flush()
            helper = self._helper(memory.fileno(), -1, confinement.limits.processes)
            yield Launch([*helper, *argv], variables, (memory.fileno(),))

    def start(
        self, argv: Sequence[str], confinement: Confinement, cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """See `Sandbox.start`."""
        command = {
            "argv": list(argv),
            "cwd": str(cwd),
            "environment": sandbox_environment(self.mechanism, confinement, environment),
        }
        message = marshal.dumps({**self._settings(confinement), **command})
        processes = confinement.limits.processes
        if self._waiting is not None and self._waiting.processes != processes:
            self.close()
        waiting = self._waiting
        if waiting is None or not waiting.begin(message):
            waiting = self._wait(processes)
            if not waiting.begin(message):
                raise SpawnError("the process that confines commands ended before it began", 126)
        self._waiting = None
        with suppress(SpawnError):  # the next command will report it
            self._waiting = self._wait(processes)
        return waiting.process

    def close(self) -> None:
        """End the waiting helper."""
        if self._waiting is not None:
            self._waiting.end()
            self._waiting = None

    def _settings(self, confinement: Confinement) -> dict[str, Any]:
        folders, files = granted(confinement)
        return {
            "writable": [str(path) for path in folders],
            "files": [str(path) for path in files],
            "limits": confinement.limits.resources(processes=False),
            "network": confinement.network,
            "seccomp": seccomp_program(self._machine, network=confinement.network, shared=True),
        }

    def _helper(self, settings: int, wait: int, processes: int | None) -> list[str]:
        program = str(Path(__file__).with_name("landlock_exec.py"))
        numbers = map(str, (settings, wait, processes or 0))
        return [self._python, "-I", "-S", program, str(os.getpid()), ":".join(self._folders), *numbers]

    def _wait(self, processes: int | None) -> "_Waiting":
        memory = _memory()
        reading, writing = os.pipe()
        try:
            fds = (memory.fileno(), reading)
            process = start_command(self._helper(*fds, processes), Path("/"), {}, fds)
        except BaseException:
            memory.close()
            os.close(writing)
            raise
        finally:
            os.close(reading)
        atexit.unregister(self.close)
        atexit.register(self.close)
        return _Waiting(process, memory, writing, processes)


@frozen
class _Waiting:
    """A helper that waits for a command, which it gets in a memory file, so that passing it never blocks."""

    process: subprocess.Popen[bytes]
    memory: BinaryIO
    pipe: int
    processes: int | None = None

    def begin(self, message: bytes) -> bool:
        """Pass it the command; False if it has ended."""
        if (
            self.process.poll() is not None
        ):  # its child, which reads the pipe, may take a moment longer to end
            self.end()
            return False
        self.memory.write(message)
        self.memory.close()
        try:
            os.write(self.pipe, b"x")
        except BrokenPipeError:
            self.end()
            return False
        os.close(self.pipe)
        return True

    def end(self) -> None:
        self.memory.close()
        os.close(self.pipe)
        with self.process:  # closes its pipes and waits
            self.process.kill()


def granted(confinement: Confinement) -> tuple[list[Path], list[Path]]:
    """Return the directories and files to grant a command write access to, because Landlock has no exceptions.

    A directory that contains some of the agent's own files is granted piece by piece, without those;
    nothing new can then be created directly in it.
    """
    own = frozenset(confinement.own)
    folders: list[Path] = []
    files: list[Path] = []
    waiting = list(confinement.writable)
    while waiting:
        path = waiting.pop()
        if path in own:
            continue
        if not path.is_dir():
            files.append(path)
        elif not any(path in one.parents for one in own):
            folders.append(path)
        else:
            with suppress(OSError), os.scandir(path) as entries:
                waiting += [Path(entry.path) for entry in entries if not entry.is_symlink()]
    return sorted(folders), sorted(files)


def _memory() -> BinaryIO:
    return os.fdopen(os.memfd_create("confinement"), "wb")


def _folder_of(name: str) -> str:
    """The directory from which the top-level module `name` is imported."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"{name} is not installed")
    origin = Path(spec.origin)
    return str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)
