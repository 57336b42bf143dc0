"""The sandbox interface."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from code_core.frozen import frozen
from code_core.process.spawn import start_command, terminate_group
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.seccomp import machines
from code_core.sandbox.system_calls import Machine

Mechanism = Literal["bwrap", "landlock", "seatbelt"]


@frozen
class Launch:
    """What to start instead of a command.

    Attributes:
        fds: descriptors to pass on, open for the duration of the context.
    """

    argv: list[str]
    environment: dict[str, str]
    fds: tuple[int, ...] = ()


class Sandbox(Protocol):
    """Confines commands with one mechanism."""

    @property
    def mechanism(self) -> Mechanism:
        """Its name, which commands see as `CODEX_SANDBOX`."""
        ...

    @property
    def protects(self) -> bool:
        """Whether it prevents writes to `Confinement.protected`."""
        ...

    def confined(
        self, argv: Sequence[str], confinement: Confinement, cwd: Path, environment: Mapping[str, str]
    ) -> AbstractContextManager[Launch]:
        """Yield what to start so that `argv` runs in `cwd` with the permissions in `confinement`.

        Start it within the context without waiting for it: the command begins when the context ends.

        Raises:
            SpawnError: on leaving the context, if the command cannot begin.
        """
        ...

    def start(
        self, argv: Sequence[str], confinement: Confinement, cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start `argv` like `start_command`, with the permissions in `confinement`.

        Raises:
            SpawnError: it cannot be started.
        """
        with self.confined(argv, confinement, cwd, environment) as launch:
            return start_command(launch.argv, cwd, launch.environment, launch.fds)

    def terminate(self, process: subprocess.Popen[bytes]) -> None:
        """Ask the confined command `process` to end, with SIGTERM.

        Raises:
            ProcessLookupError: nothing of it is left.
        """
        terminate_group(process)


def sandbox_environment(
    mechanism: Mechanism, confinement: Confinement, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return `environment` with variables that tell a command that it is confined."""
    marks: dict[str, str] = {"CODEX_SANDBOX": mechanism}
    if not confinement.network:
        marks["CODEX_SANDBOX_NETWORK_DISABLED"] = "1"
    return {**environment, **marks}


def seccomp_machine() -> Machine | None:
    """Return the architecture of this machine if a filter exists for it."""
    name = os.uname().machine
    return next((machine for machine in machines() if machine == name), None)
