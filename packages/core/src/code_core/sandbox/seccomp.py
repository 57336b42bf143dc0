"""Builds the seccomp filter for the system calls of a confined command.

Classic BPF for seccomp(2): 8 bytes per instruction, over `struct seccomp_data` (number at 0,
architecture at 4, arguments from 16, 8 bytes each). Calls that are not named are allowed: the
file system is confined by other means, and the filter closes the ways around them.
"""

import struct
from functools import cache

from code_core.frozen import frozen
from code_core.sandbox.system_calls import (
    ATTRIBUTES,
    NUMBERS,
    OWN_PRIORITY_ONLY,
    OWN_PROCESS_ONLY,
    REFUSED,
    SHARED,
    WITHOUT_NETWORK,
    Machine,
)

KILL, ALLOW = 0x8000_0000, 0x7FFF_0000
EPERM, ENOSYS, EOPNOTSUPP = 0x0005_0001, 0x0005_0026, 0x0005_005F
"""Return values for the kernel: SECCOMP_RET_KILL_PROCESS, _ALLOW, and _ERRNO with a number."""

_AUDIT_ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_X32_BIT = 0x4000_0000

CLONE_NEWUSER = 0x1000_0000
TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD = 0x5412, 0x541C, 0x541D, 0x5423
FS_IOC_SETFLAGS, FS_IOC_SETVERSION, FS_IOC_FSSETXATTR = 0x4008_6602, 0x4008_7602, 0x401C_5820
F_SETLEASE, F_SETDELEG = 1024, 1040
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_STREAM, SOCK_SEQPACKET, _SOCK_TYPE = 1, 5, 0xF

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


@frozen
class _Return:
    action: int


@frozen
class _Load:
    offset: int
    mask: int | None = None


@frozen
class _If:
    """Continue with `then` if the loaded value compares as `jump` with `value`, otherwise with `otherwise`.

    One of the two is empty, so that no jump over the other is needed.
    """

    jump: int
    value: int
    then: "tuple[_Step, ...]"
    otherwise: "tuple[_Step, ...]" = ()


_Step = _Return | _Load | _If


def machines() -> tuple[Machine, ...]:
    """Return the architectures with a filter, as `os.uname` names them."""
    return tuple(NUMBERS)


@cache
def seccomp_program(machine: Machine, *, network: bool, shared: bool = False) -> bytes:
    """Return the filter for one architecture, in its byte order (both are little-endian).

    Without `network`, a command has only unix stream socket pairs: it can neither connect nor listen,
    so it can neither reach local services nor imitate one. With `network`, it has internet sockets, and
    unix sockets only as such pairs. `shared` means that it sees the processes and IPC of others, which it
    must not touch.
    """
    numbers = NUMBERS[machine]
    steps: list[_Step] = [
        _Load(_ARCHITECTURE),
        _If(_JUMP_EQUAL, _AUDIT_ARCH[machine], (), otherwise=(_Return(KILL),)),
        _Load(_NUMBER),
    ]
    if machine == "x86_64":
        steps.append(_If(_JUMP_GREATER_EQUAL, _X32_BIT, (_Return(KILL),)))
    refused = [*REFUSED, *(() if network else WITHOUT_NETWORK), *(SHARED if shared else ())]
    steps += [_call(numbers[name], _Return(EPERM)) for name in refused]
    ioctls: tuple[int, ...] = (TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD)
    if shared:
        ioctls = (*ioctls, FS_IOC_SETFLAGS, FS_IOC_SETVERSION, FS_IOC_FSSETXATTR)
        steps += [_call(numbers[name], _Return(EOPNOTSUPP)) for name in ATTRIBUTES]
        steps += [_call(numbers[name], *_only(0, 0)) for name in OWN_PROCESS_ONLY]
        steps += [
            _call(numbers[name], *_only(0, kind), *_only(1, 0)) for name, kind in OWN_PRIORITY_ONLY.items()
        ]
    steps += [
        _call(numbers["clone3"], _Return(ENOSYS)),  # its flags are in memory; C libraries fall back to clone
        _call(numbers["clone"], *_refuse_flag(0, CLONE_NEWUSER)),
        _call(numbers["unshare"], *_refuse_flag(0, CLONE_NEWUSER)),
        _call(numbers["ioctl"], _Load(_argument(1)), *_refuse_values(*ioctls)),
        # A lease would block anyone who opens the file, such as the agent, for 45 seconds each time.
        _call(numbers["fcntl"], _Load(_argument(1)), *_refuse_values(F_SETLEASE, F_SETDELEG)),
        _call(numbers["socketpair"], *_stream_pairs()),
    ]
    if network:
        allowed = tuple(
            _If(_JUMP_EQUAL, family, (_Return(ALLOW),)) for family in (AF_INET, AF_INET6, AF_NETLINK)
        )
        steps.append(_call(numbers["socket"], _Load(_argument(0)), *allowed, _Return(EPERM)))
    else:
        steps.append(_call(numbers["socket"], *_stream_pairs()))
    steps.append(_Return(ALLOW))
    return _assembled(steps)


def _argument(number: int) -> int:
    """The offset of the lower half, which is all that the kernel uses in these calls."""
    return _ARGUMENTS + 8 * number


def _call(number: int, *then: _Step) -> _Step:
    """The steps for one call; must end with a return if they load something over the number."""
    last = then[-1] if then else None
    ended = then if isinstance(last, _Return) else (*then, _Return(ALLOW))
    return _If(_JUMP_EQUAL, number, ended)


def _refuse_flag(argument: int, flag: int) -> tuple[_Step, ...]:
    return _Load(_argument(argument)), _If(_JUMP_SET, flag, (_Return(EPERM),))


def _refuse_values(*values: int) -> tuple[_Step, ...]:
    return tuple(_If(_JUMP_EQUAL, value, (_Return(EPERM),)) for value in values)


def _only(argument: int, value: int) -> tuple[_Step, ...]:
    return _Load(_argument(argument)), _If(_JUMP_EQUAL, value, (), otherwise=(_Return(EPERM),))


def _stream_pairs() -> tuple[_Step, ...]:
    """Allow only unix sockets that can talk to nothing but their peer."""
    kinds = tuple(_If(_JUMP_EQUAL, kind, (_Return(ALLOW),)) for kind in (SOCK_STREAM, SOCK_SEQPACKET))
    return (
        _Load(_argument(0)),
        _If(_JUMP_EQUAL, AF_UNIX, (_Load(_argument(1), _SOCK_TYPE), *kinds)),
        _Return(EPERM),
    )


def _assembled(steps: "list[_Step] | tuple[_Step, ...]") -> bytes:
    code = b""
    for step in steps:
        match step:
            case _Return(action=action):
                code += _returning(action)
            case _Load(offset=offset, mask=mask):
                code += struct.pack("=HBBI", _LOAD, 0, 0, offset)
                if mask is not None:
                    code += struct.pack("=HBBI", _AND, 0, 0, mask)
            case _If(jump=jump, value=value, then=then, otherwise=otherwise):
                yes, no = _assembled(then), _assembled(otherwise)
                code += struct.pack("=HBBI", jump, len(no) // 8, len(yes) // 8, value) + yes + no
    return code


def _returning(action: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, action)
