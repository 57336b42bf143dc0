"""Builds the command line of bubblewrap (bwrap(1), 0.8 or newer) for a confinement."""

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.gate import gate
from code_core.sandbox.sandbox import Launch, Mechanism, Sandbox, sandbox_environment
from code_core.sandbox.seccomp import seccomp_program
from code_core.sandbox.system_calls import Machine

_ALONE = "--unshare-user --unshare-pid --unshare-ipc --disable-userns --cap-drop ALL --die-with-parent --new-session".split()

# The kernel lets the real uid 0 write to most of /proc/sys, /proc/sysrq-trigger and the like without any
# capability; writing to /run/initctl reaches init even where it is mounted read-only.
_INIT = Path("/run/initctl")
_PROC = ("--proc", "/proc", "--remount-ro", "/proc")
_DEVICES = Path("/dev")


class Bubblewrap(Sandbox):
    """Confines commands in their own namespaces.

    Args:
        bwrap: the program.
        machine: the architecture for the system call filter.
    """

    mechanism: Mechanism = "bwrap"
    protects = True

    def __init__(self, bwrap: str, machine: Machine) -> None:
        self._bwrap = bwrap
        self._machine = machine

    @contextmanager
    def confined(
        self, argv: Sequence[str], confinement: Confinement, cwd: Path, environment: Mapping[str, str]
    ) -> Iterator[Launch]:
        """See `Sandbox.confined`."""
        variables = sandbox_environment(self.mechanism, confinement, environment)
        seccomp = seccomp_program(self._machine, network=confinement.network)
        with gate(seccomp, confinement.limits.resources(processes=True)) as fds:
            yield Launch(bubblewrap_argv(self._bwrap, confinement, cwd, fds, argv), variables, fds)

    def terminate(self, process: subprocess.Popen[bytes]) -> None:
        """See `Sandbox.terminate`.

        A signal to bubblewrap itself would end its namespace at once. The namespace's first process, which
        is its child, does nothing but wait for the command.
        """
        commands = [pid for first in children_of(process.pid) for pid in children_of(first)]
        groups = {os.getpgid(pid) for pid in commands}
        for group in groups or {process.pid}:
            os.killpg(group, signal.SIGTERM)


def children_of(pid: int) -> list[int]:
    """Return the children of a process; nothing if it has ended, or where the kernel does not list them."""
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split())]
    except OSError:
        return []


def bubblewrap_argv(
    bwrap: str, confinement: Confinement, cwd: Path, fds: tuple[int, int], argv: Sequence[str]
) -> list[str]:
    """Return `argv` confined: all but hidden paths are readable, and only what `confinement` names is writable.

    The descriptors are those of `gate`. Absent paths must exist as empty directories by now
    (see `placeholders`).
    """
    everything = Path("/") in confinement.writable
    rights = dict.fromkeys(confinement.pinned(), "--bind")
    rights |= {path: "--bind" for path in confinement.writable if path != Path("/")}
    rights |= dict.fromkeys((*confinement.protected, *confinement.absent), "--ro-bind")
    # A path inside another one comes later and takes precedence. bubblewrap reads the table of all mounts for
    # each mount, so the many mounts of `/dev` come last.
    ordered = sorted(rights.items(), key=lambda one: (one[0].is_relative_to(_DEVICES), one[0]))
    first = sum(not path.is_relative_to(_DEVICES) for path in rights)
    mounts = [
        *("--bind" if everything else "--ro-bind", "/", "/"),
        *_binds(ordered[:first]),
        *(part for path in confinement.hidden for part in ("--tmpfs", str(path), "--remount-ro", str(path))),
        *(("--ro-bind-try", "/sys", "/sys") if everything else ()),
        *(("--ro-bind", "/dev/null", str(_INIT)) if _INIT.exists() else ()),
        *_PROC,
        *("--dev", "/dev", "--size", str(confinement.limits.shared_memory_bytes)),
        *("--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108 - its own
        *_binds(ordered[first:]),
    ]
    network = [] if confinement.network else ["--unshare-net"]
    info, seccomp = map(str, fds)
    gates = ["--info-fd", info, "--seccomp", seccomp]
    return [bwrap, *mounts, *_ALONE, *network, *gates, "--chdir", str(cwd), "--", *argv]


def _binds(rights: Iterable[tuple[Path, str]]) -> Iterator[str]:
    for path, right in rights:
        yield from (right, str(path), str(path))
