"""Memory for secrets: never swapped, never in a core file, never in a forked child."""

import errno
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from types import TracebackType
from typing import Self

from code_process_hardening import libc
from code_process_hardening.errors import SecretMemoryError

_MEMFD_SECRET = 447
_MADV_DONTFORK = 10
_MADV_DONTDUMP = 16
_MADV_WIPEONFORK = 18
_O_CLOEXEC = 0o2000000
# The kernel does not support it, forbids it, or has none left; locked memory is the next best.
_NO_SECRET_MEMORY = frozenset(
    {errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOMEM, errno.EMFILE, errno.EAGAIN}
)


class MemoryKind(Enum):
    """The kind of memory that holds the secret."""

    SECRET = "memfd_secret"  # noqa: S105 - the name of a system call
    """Pages mapped only by this process, which neither the kernel nor root can read."""
    LOCKED = "mlock"
    """Ordinary pages that are never swapped or dumped."""


class SecretBuffer:
    """A buffer of `capacity` bytes for a secret, filled from its start and zeroed on exit.

    `secret_memory=False` avoids `memfd_secret`, which prevents hibernation while in use. In children
    created by `fork`, the pages are empty (`LOCKED`) or absent (`SECRET`).

    Raises:
        SecretMemoryError: no memory could be locked, usually because of `RLIMIT_MEMLOCK`.
    """

    def __init__(self, capacity: int, *, secret_memory: bool = True) -> None:
        if capacity < 1:
            raise ValueError(f"a secret buffer needs a capacity of at least 1, not {capacity}")
        self.capacity = capacity
        self.length = 0
        pages = -(-capacity // mmap.PAGESIZE) * mmap.PAGESIZE
        self._map, self.kind = _allocate(pages, secret_memory=secret_memory)
        self._all = memoryview(self._map)

    def __repr__(self) -> str:
        return f"<SecretBuffer {self.kind.value} {self.length}/{self.capacity}>"

    def append(self, data: bytes) -> None:
        """Append data that is not secret, because the caller's `data` remains in memory."""
        end = self.length + len(data)
        if end > self.capacity:
            raise ValueError(f"{len(data)} bytes do not fit: {self.length} of {self.capacity} are used")
        self._all[self.length : end] = data
        self.length = end

    def readinto(self, descriptor: int, limit: int | None = None) -> int:
        """Append the result of one read from `descriptor`, at most `limit` bytes, without copies outside the buffer.

        Returns the number of bytes: 0 at the end of the file, or when the buffer is full.
        """
        end = self.capacity if limit is None else min(self.capacity, self.length + limit)
        if end <= self.length:
            return 0
        with self._all[self.length : end] as free:
            got = os.readv(descriptor, [free])
        self.length += got
        return got

    def truncate(self, length: int) -> None:
        """Keep the first `length` bytes and zero the rest."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot truncate {self.length} bytes to {length}")
        self._all[length : self.length] = bytes(self.length - length)
        self.length = length

    def view(self) -> memoryview:
        """Return a read-only view of the contents; release it before the buffer is exited."""
        with self._all[: self.length] as filled:
            return filled.toreadonly()

    def wipe(self) -> None:
        """Zero everything."""
        self._all[:] = bytes(len(self._all))
        self.length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.wipe()
        self._all.release()
        with suppress(BufferError):  # a view still exists: it shows zeros and keeps the pages
            self._map.close()


def _allocate(size: int, *, secret_memory: bool) -> tuple[mmap.mmap, MemoryKind]:
    if secret_memory and sys.platform == "linux":
        try:
            return _memfd_secret(size), MemoryKind.SECRET
        except OSError as error:
            if error.errno not in _NO_SECRET_MEMORY:
                raise SecretMemoryError(error.errno, f"cannot allocate secret memory: {error}") from error
    try:
        return _locked(size), MemoryKind.LOCKED
    except OSError as error:
        raise SecretMemoryError(
            error.errno, f"cannot lock {size} bytes of memory ({error}): raise the limit, `ulimit -l`"
        ) from error


def _memfd_secret(size: int) -> mmap.mmap:
    descriptor = libc.syscall(_MEMFD_SECRET, _O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        region = mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
    region.madvise(_MADV_DONTFORK)
    return region


def _locked(size: int) -> mmap.mmap:
    region = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with _closed_on_error(region), memoryview(region) as pages:
        libc.mlock(pages)
        if sys.platform == "linux":
            region.madvise(_MADV_DONTDUMP)
            region.madvise(_MADV_WIPEONFORK)
        else:
            libc.do_not_inherit(pages)
    return region


@contextmanager
def _closed_on_error(region: mmap.mmap) -> Iterator[None]:
    try:
        yield
    except BaseException:
        region.close()
        raise
