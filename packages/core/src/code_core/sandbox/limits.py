"""What a confined command may use up."""

from dataclasses import dataclass
from typing import Self

from code_core.protocol.policies import WorkspaceWrite

_RLIMIT_FSIZE, _RLIMIT_DATA, _RLIMIT_NPROC = 1, 2, 6


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a command and all that it starts; None means no limit.

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

    def resources(self, *, processes: bool) -> list[tuple[int, int]]:
        """The limits as prlimit(2) takes them: the number of a resource of Linux, and its limit.

        That on `processes` is useful only where the command has a user namespace, of which the kernel counts
        the processes; elsewhere it counts all of the user's.
        """
        pairs = [
            (_RLIMIT_FSIZE, self.file_bytes),
            (_RLIMIT_DATA, self.memory_bytes),
            (_RLIMIT_NPROC, self.processes if processes else None),
        ]
        return [(resource, most) for resource, most in pairs if most is not None]


DEFAULT_LIMITS = Limits()
