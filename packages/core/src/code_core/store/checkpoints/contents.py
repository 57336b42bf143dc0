"""File contents, each stored once and addressed by digest, in one growing file with an index.

Only the process that holds the session's lock writes them.
"""

import hashlib
import os
import re
from pathlib import Path

from code_core.store.errors import CheckpointError
from code_core.store.layout import make_private_directory, open_private

MOST_BYTES = 2**30
"""Limit for one session; contents beyond it are not saved, and undo reports them."""

_BUFFER = 8 * 2**20
_LISTED = re.compile(rb"([0-9a-f]{40}) ([0-9]{1,15}) ([0-9]{1,9})\n")


class Contents:
    """The contents in `directory`, which is created when the first one is stored.

    Raises:
        CheckpointError: existing contents cannot be read.
    """

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._pack = directory / "contents"
        self._list = directory / "contents.index"
        self._most = most_bytes
        self._offsets: dict[str, tuple[int, int]] = {}
        self._buffer: list[bytes] = []
        self._listed: list[str] = []
        self._buffered = 0
        self._size = 0
        self._load()

    def put(self, data: bytes) -> str | None:
        """Store `data` and return its digest, or None if there is no room. `flush` writes it to disk.

        Raises:
            CheckpointError: it cannot be written.
        """
        digest = digest_of(data)
        if digest in self._offsets:
            return digest
        if self._size + len(data) > self._most:
            return None
        self._offsets[digest] = (self._size, len(data))
        self._listed.append(f"{digest} {self._size} {len(data)}\n")
        self._buffer.append(data)
        self._buffered += len(data)
        self._size += len(data)
        if self._buffered > _BUFFER:
            self.flush()
        return digest

    def has(self, digest: str) -> bool:
        """Whether a content is stored and could be written."""
        return digest in self._offsets

    def flush(self) -> None:
        """Write stored contents to disk.

        Raises:
            CheckpointError: they could not be written and were dropped.
        """
        if not self._listed:
            return
        data, listed = b"".join(self._buffer), "".join(self._listed)
        try:
            make_private_directory(self._pack.parent)
            _append(self._pack, data, self._size - self._buffered)
            _append(self._list, listed.encode(), None)
        except OSError as error:
            for line in self._listed:
                self._offsets.pop(line.partition(" ")[0], None)
            self._size -= self._buffered
            raise CheckpointError(f"cannot save files for undo: {self._pack}: {error.strerror}") from error
        finally:
            self._buffer, self._listed, self._buffered = [], [], 0

    def get(self, digest: str) -> bytes:
        """Return the content with this digest.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        self.flush()
        offset, length = self._offsets.get(digest, (0, -1))
        try:
            descriptor = open_private(self._pack, os.O_RDONLY)
            try:
                data = os.pread(descriptor, max(length, 0), offset)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CheckpointError(f"the saved files are missing: {self._pack}: {error.strerror}") from error
        if length < 0 or digest_of(data) != digest:
            raise CheckpointError(f"the saved files are damaged: {self._pack}")
        return data

    def _load(self) -> None:
        try:
            descriptor = open_private(self._list, os.O_RDONLY)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CheckpointError(f"cannot read the saved files: {self._list}: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            for line in file:
                if match := _LISTED.fullmatch(line):  # a line cut off by a crash does not match
                    digest, offset, length = match.groups()
                    self._offsets[digest.decode("ascii")] = (int(offset), int(length))
        try:
            self._size = self._pack.stat().st_size
        except OSError:
            self._size = 0


def digest_of(data: bytes) -> str:
    """Return the address of a content."""
    return hashlib.blake2b(data, digest_size=20).hexdigest()


def _append(path: Path, data: bytes, expected: int | None) -> None:
    """Write `data` at the end, or at `expected`, where an earlier write may have been cut off."""
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        position = os.fstat(descriptor).st_size if expected is None else expected
        if expected is None and position and os.pread(descriptor, 1, position - 1) != b"\n":
            position += os.pwrite(descriptor, b"\n", position)
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, position)
            position += written
            view = view[written:]
    finally:
        os.close(descriptor)
