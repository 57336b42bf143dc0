"""The resource limits of confined commands."""

from typing import Self

from code_core.frozen import frozen
from code_core.protocol.policies import WorkspaceWrite

_RLIMIT_FSIZE, _RLIMIT_DATA, _RLIMIT_NPROC = 1, 2, 6


@frozen
class Limits:
    """Limits for a command and its descendants; None means no limit.

    Attributes:
        processes: concurrent processes and threads (bubblewrap; not for root, which the kernel exempts).
        file_bytes: the size of each file it writes.
        memory_bytes: private memory of each process.
        shared_memory_bytes: the total size of files in `/dev/shm` (bubblewrap).
    """

    processes: int | None = 4096
    file_bytes: int | None = 64 * 2**30
    memory_bytes: int | None = None
    shared_memory_bytes: int = 2**30

    @classmethod
    def of(cls, policy: WorkspaceWrite) -> Self:
        """Return the limits of a policy, with defaults for the others."""
        return cls(
            policy.max_processes,
            policy.max_file_bytes,
            policy.max_memory_bytes,
            policy.max_shared_memory_bytes,
        )

    def resources(self, *, processes: bool) -> list[tuple[int, int]]:
        """Return the limits for prlimit(2): Linux resource numbers and their limits.

        The limit on `processes` is useful only in a user namespace, where the kernel counts the processes of
        the namespace; elsewhere it counts all processes of the user.
        """
        pairs = [
            (_RLIMIT_FSIZE, self.file_bytes),
            (_RLIMIT_DATA, self.memory_bytes),
            (_RLIMIT_NPROC, self.processes if processes else None),
        ]
        return [(resource, most) for resource, most in pairs if most is not None]


DEFAULT_LIMITS = Limits()
