"""Landlock: a process gives up permissions that it no longer needs (landlock(7), ABI 1 to 6)."""

import errno
import os
import struct
import sys
from collections.abc import Iterable
from enum import Enum

from code_process_hardening import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
# Removing and creating entries of every kind: bits 4 to 12.
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))
_MAKE_DEVICES = 1 << 6 | 1 << 11
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1
_O_PATH = 0o10000000


class Confinement(Enum):
    """How much the kernel can restrict."""

    FULL = "files, programs and TCP"
    FILES = "files and programs; this kernel does not confine TCP (Linux 6.7 does)"
    NONE = "nothing: this kernel has no Landlock"


def confine(
    *,
    writable: Iterable[str] = (),
    writable_files: Iterable[str] = (),
    connect_ports: Iterable[int] | None = (),
    programs: bool = False,
    missing_ok: bool = False,
) -> Confinement:
    """Restrict what this process may write, start and connect to; return how much the kernel restricts.

    Writing is allowed only in `writable` directories and to `writable_files`. Programs may be started only with
    `programs`, and are confined in the same way. Listening on further TCP ports is forbidden, and so is
    connecting to ports other than `connect_ports`; if that is None, TCP is not restricted. UDP, reading, and
    changing the owner, mode, times and attributes of files stay allowed.
    With `missing_ok`, files and directories that do not exist are skipped.

    Cannot be undone. Applies to this thread and those it starts, so call it before there are others. Needs no
    privileges, but the no-new-privileges step of the hardening.

    Raises:
        OSError: the kernel has Landlock and refused, or a directory cannot be opened.
    """
    abi = landlock_abi()
    if abi == 0:
        return Confinement.NONE
    to_file = _WRITE_FILE | (_TRUNCATE if abi >= 3 else 0)
    files = to_file | _CHANGE_FOLDER | (_REFER if abi >= 2 else 0) | (0 if programs else _EXECUTE)
    network = _BIND_TCP | _CONNECT_TCP if abi >= 4 and connect_ports is not None else 0
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if abi >= 6 else 0
    # Older kernels refuse a longer structure than they know.
    attributes = struct.pack("=QQQ", files, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for folder in writable:
            _allow_writing(ruleset, folder, os.O_DIRECTORY, files & ~_EXECUTE & ~_MAKE_DEVICES, missing_ok)
        for file in writable_files:
            _allow_writing(ruleset, file, 0, to_file, missing_ok)
        if network and connect_ports is not None:
            for port in sorted(set(connect_ports)):
                _call_rule(ruleset, _RULE_NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port))
        libc.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return Confinement.FULL if abi >= 4 else Confinement.FILES


def landlock_abi() -> int:
    """Return the version of Landlock in this kernel, or 0."""
    platform: str = sys.platform
    if platform != "linux":
        return 0
    try:
        return libc.syscall(_CREATE_RULESET, 0, 0, _VERSION_FLAG)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP}:
            return 0
        raise


def _allow_writing(ruleset: int, path: str, flags: int, access: int, missing_ok: bool) -> None:
    try:
        descriptor = os.open(path, _O_PATH | flags | os.O_CLOEXEC)
    except FileNotFoundError:
        if missing_ok:
            return
        raise
    try:
        _call_rule(ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, descriptor))
    finally:
        os.close(descriptor)


def _call(number: int, attributes: bytes, size: int, flags: int) -> int:
    return libc.syscall(number, libc.address_of(memoryview(attributes)), size, flags)


def _call_rule(ruleset: int, kind: int, attributes: bytes) -> None:
    libc.syscall(_ADD_RULE, ruleset, kind, libc.address_of(memoryview(attributes)), 0)
