"""The command line of bubblewrap (bwrap(1), 0.8 or newer) for a confinement."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.sandbox import Launch, Mechanism, Sandbox, sandbox_environment, seccomp_descriptor
from code_core.sandbox.system_calls import Machine

_ALONE = "--unshare-user --unshare-pid --unshare-ipc --disable-userns --cap-drop ALL --die-with-parent --new-session".split()

_DEVICES = ["--dev", "/dev"]
# The kernel lets the real uid 0 write to most of /proc/sys, /proc/sysrq-trigger and the like without any
# capability; /sys matters only where `/` is writable, and whoever writes to /run/initctl speaks to init.
_INIT = Path("/run/initctl")
_CLOSED_TO_ROOT = (
    *("--remount-ro", "/dev", "--proc", "/proc", "--remount-ro", "/proc"),
    *("--ro-bind-try", "/sys", "/sys"),
)


class Bubblewrap(Sandbox):
    """Confines commands in namespaces of their own.

    Args:
        bwrap: the program.
        machine: the machine that the filter of system calls is for.
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
        with seccomp_descriptor(self._machine, confinement) as fd:
            told = sandbox_environment(self.mechanism, confinement, environment)
            yield Launch(bubblewrap_argv(self._bwrap, confinement, cwd, fd, argv), told, (fd,))


def bubblewrap_argv(
    bwrap: str, confinement: Confinement, cwd: Path, seccomp_fd: int, argv: Sequence[str]
) -> list[str]:
    """`argv` confined: everything can be read, only what `confinement` names can be written.

    The descriptor holds the program of `seccomp_program`; bubblewrap reads and closes it. What is absent
    must exist as an empty directory by now (`placeholders`).
    """
    root = "--bind" if Path("/") in confinement.writable else "--ro-bind"
    kernel = ["--size", str(confinement.limits.shared_memory_bytes), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108 - its own
    init = ["--ro-bind", "/dev/null", str(_INIT)] if _INIT.exists() else []
    mounts = [root, "/", "/", *_DEVICES, *kernel, *_CLOSED_TO_ROOT, *init]
    rights = dict.fromkeys(confinement.pinned(), "--bind")
    rights |= {path: "--bind" for path in confinement.writable if path != Path("/")}
    rights |= dict.fromkeys((*confinement.protected, *confinement.absent), "--ro-bind")
    for path, right in sorted(rights.items()):  # what is inside of another comes after it, and wins
        mounts += [right, str(path), str(path)]
    network = [] if confinement.network else ["--unshare-net"]
    seccomp = ["--seccomp", str(seccomp_fd)]
    command = [*confinement.limits.wrapper(), *argv]
    return [bwrap, *mounts, *_ALONE, *network, *seccomp, "--chdir", str(cwd), "--", *command]
