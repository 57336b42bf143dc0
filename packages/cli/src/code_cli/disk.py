"""Checks whether the agent's directories are writable, for `code doctor`."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

SAMPLE_BYTES = 256 * 1024
SCARCE_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class DiskReport:
    """The result of a test write.

    Attributes:
        problem: why writing failed, or None.
        free: bytes available to this user; None if unknown.
    """

    problem: str | None
    free: int | None

    @property
    def is_scarce(self) -> bool:
        """Whether a few sessions could fill the disk."""
        return self.free is not None and self.free < SCARCE_BYTES


def try_disk(directory: Path) -> DiskReport:
    """Write a small file in `directory` and delete it; checks the parent directory if it does not exist yet."""
    existing = next((one for one in (directory, *directory.parents) if one.exists()), directory)
    problem = None
    try:
        if existing == directory:
            with tempfile.TemporaryFile(dir=directory) as file:
                file.write(os.urandom(SAMPLE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        elif not os.access(existing, os.W_OK | os.X_OK):
            problem = f"{existing} is not writable"
    except OSError as error:
        problem = error.strerror or str(error)
    try:
        free = shutil.disk_usage(existing).free
    except OSError:
        free = None
    return DiskReport(problem, free)
