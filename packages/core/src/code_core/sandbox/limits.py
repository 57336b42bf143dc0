"""What a confined command may use up."""

from dataclasses import dataclass
from typing import Self

from code_core.protocol.policies import WorkspaceWrite

KIB = 1024
FILE_BLOCK = 512
_RLIMIT_FSIZE, _RLIMIT_DATA = 1, 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a command and all that it starts; None is no limit.

    Attributes:
        processes: processes and threads at a time (bubblewrap; not for root, whom the kernel exempts).
        file_bytes: the size of a file it writes.
        memory_bytes: private memory of each process.
        shared_memory_bytes: what all files in `/dev/shm` hold (bubblewrap).
    """

    processes: int | None = 4096
    file_bytes: int | None = 64 * 2**30
    memory_bytes: int | None = None
    shared_memory_bytes: int = 2**30

    @classmethod
    def of(cls, policy: WorkspaceWrite) -> Self:
        """The limits that a policy sets, and the defaults of the others."""
        return cls(
            policy.max_processes,
            policy.max_file_bytes,
            policy.max_memory_bytes,
            policy.max_shared_memory_bytes,
        )

    def wrapper(self) -> list[str]:
        """What to put before a command to run it with its limits; nothing without any.

        The system's shell, because there is a `ulimit` in each: processes are `-u` in some and `-p` in others.
        """
        steps = []
        if self.processes is not None:
            steps.append(f"ulimit -u {self.processes} 2>/dev/null || ulimit -p {self.processes}")
        if self.file_bytes is not None:
            steps.append(f"ulimit -f {max(1, self.file_bytes // FILE_BLOCK)}")
        if self.memory_bytes is not None:
            steps.append(f"ulimit -d {max(1, self.memory_bytes // KIB)}")
        return ["/bin/sh", "-c", "; ".join([*steps, 'exec "$@"']), "sh"] if steps else []

    def resources(self) -> list[tuple[int, int]]:
        """Those that hold for each process alone, as prlimit(2) takes them: a resource of Linux and its limit."""
        pairs = [(_RLIMIT_FSIZE, self.file_bytes), (_RLIMIT_DATA, self.memory_bytes)]
        return [(resource, most) for resource, most in pairs if most is not None]


DEFAULT_LIMITS = Limits()
