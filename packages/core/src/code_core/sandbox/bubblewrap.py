"""The command line of bubblewrap (bwrap(1), 0.8 or newer) for a confinement."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.sandbox import Launch, Mechanism, Sandbox, sandbox_environment, seccomp_descriptor
from code_core.sandbox.seccomp import Machine

_ALONE = "--unshare-user --unshare-pid --unshare-ipc --disable-userns --cap-drop ALL --die-with-parent --new-session".split()


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

    The descriptor holds the program of `seccomp_program`; bubblewrap reads and closes it.
    """
    root = "--bind" if Path("/") in confinement.writable else "--ro-bind"
    mounts = [root, "/", "/", "--dev", "/dev", "--proc", "/proc"]
    rights = {path: "--bind" for path in confinement.writable if path != Path("/")}
    rights |= dict.fromkeys(confinement.protected, "--ro-bind")
    for path, right in sorted(rights.items()):  # what is inside of another comes after it, and wins
        mounts += [right, str(path), str(path)]
    network = [] if confinement.network else ["--unshare-net"]
    seccomp = ["--seccomp", str(seccomp_fd)]
    return [bwrap, *mounts, *_ALONE, *network, *seccomp, "--chdir", str(cwd), "--", *argv]
