"""System calls that the standard library lacks; each raises `OSError` with the kernel's reason."""

import os

from code_process_hardening._libc_binding import ffi

_LIBC = ffi.dlopen(None)

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
PT_DENY_ATTACH = 31
VM_INHERIT_NONE = 2


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ffi.errno
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, argument: int = 0) -> int:
    """Set or get an attribute of this process (Linux)."""
    return _checked(f"prctl({option})", _LIBC.prctl(option, argument, 0, 0, 0))


def syscall(number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """Make a system call by number (Linux)."""
    return _checked(f"syscall({number})", _LIBC.syscall(number, a, b, c, d))


def deny_attach() -> None:
    """Refuse debuggers (macOS)."""
    _checked("ptrace(PT_DENY_ATTACH)", _LIBC.ptrace(PT_DENY_ATTACH, 0, ffi.NULL, 0))


def address_of(buffer: memoryview) -> int:
    """Return the address of `buffer`."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(buffer)))


def memory(address: int, length: int) -> memoryview:
    """Return the `length` bytes at `address` without copying; the caller must know that they belong to this process."""
    return memoryview(ffi.buffer(ffi.cast("char *", address), length))


def zero(address: int, length: int) -> None:
    """Overwrite the `length` bytes at `address`."""
    with memory(address, length) as bytes_there:
        bytes_there[:] = bytes(length)


def mlock(buffer: memoryview) -> None:
    """Keep the pages of `buffer` out of swap."""
    _checked("mlock", _LIBC.mlock(ffi.from_buffer(buffer), len(buffer)))


def do_not_inherit(buffer: memoryview) -> None:
    """Exclude the pages of `buffer` from forked children (macOS)."""
    _checked("minherit", _LIBC.minherit(ffi.from_buffer(buffer), len(buffer), VM_INHERIT_NONE))


def inotify_init() -> int:
    """Return a descriptor for a new, empty set of watches (Linux, inotify(7)); reading it never blocks."""
    return _checked("inotify_init1", _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_add_watch(descriptor: int, path: bytes, mask: int) -> int:
    """Watch `path` and return the number that its events carry (Linux)."""
    return _checked("inotify_add_watch", _LIBC.inotify_add_watch(descriptor, path, mask))
