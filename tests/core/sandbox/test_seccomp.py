import shutil
import subprocess

import pytest

from code_core.sandbox.seccomp import (
    ALLOW,
    CLONE_NEWUSER,
    ENOSYS,
    EOPNOTSUPP,
    EPERM,
    FS_IOC_SETFLAGS,
    KILL,
    TIOCCONS,
    TIOCLINUX,
    TIOCSETD,
    TIOCSTI,
    machines,
    seccomp_program,
)
from code_core.sandbox.system_calls import ATTRIBUTES, NUMBERS, REFUSED, SHARED, WITHOUT_NETWORK, Machine
from core.sandbox import bpf

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
UNIX, INET, INET6, NETLINK, VSOCK = 1, 2, 10, 16, 40
STREAM, DGRAM, SEQPACKET, CLOEXEC = 1, 2, 5, 0o2000000

CALLS = [
    # call, arguments, without network, with network
    *[(name, (), EPERM, EPERM) for name in REFUSED],
    ("clone3", (), ENOSYS, ENOSYS),
    ("clone", (0x11,), ALLOW, ALLOW),
    ("clone", (0x11 | CLONE_NEWUSER,), EPERM, EPERM),
    ("unshare", (0x400,), ALLOW, ALLOW),
    ("unshare", (CLONE_NEWUSER | 0x400,), EPERM, EPERM),
    ("ioctl", (0, 0x5401), ALLOW, ALLOW),
    ("ioctl", (0, TIOCSTI), EPERM, EPERM),
    ("ioctl", (0, TIOCSTI | 1 << 32), EPERM, EPERM),
    ("ioctl", (0, TIOCLINUX), EPERM, EPERM),
    ("ioctl", (0, TIOCCONS), EPERM, EPERM),
    ("ioctl", (0, TIOCSETD), EPERM, EPERM),
    ("ioctl", (0, FS_IOC_SETFLAGS), ALLOW, ALLOW),
    ("socket", (UNIX, STREAM), ALLOW, EPERM),
    ("socket", (UNIX, STREAM | CLOEXEC), ALLOW, EPERM),
    ("socket", (UNIX, DGRAM), EPERM, EPERM),
    ("socket", (UNIX, DGRAM | CLOEXEC), EPERM, EPERM),
    ("socket", (INET, STREAM), EPERM, ALLOW),
    ("socket", (INET, DGRAM), EPERM, ALLOW),
    ("socket", (INET6, STREAM), EPERM, ALLOW),
    ("socket", (NETLINK, 3), EPERM, ALLOW),
    ("socket", (VSOCK, STREAM), EPERM, EPERM),
    ("socket", (17, 3), EPERM, EPERM),
    ("socketpair", (UNIX, STREAM), ALLOW, ALLOW),
    ("socketpair", (UNIX, SEQPACKET | CLOEXEC), ALLOW, ALLOW),
    ("socketpair", (UNIX, DGRAM), EPERM, EPERM),
    *[(name, (), EPERM, ALLOW) for name in WITHOUT_NETWORK],
    *[(name, (7,), ALLOW, ALLOW) for name in (*SHARED, *ATTRIBUTES)],
    ("prlimit64", (7,), ALLOW, ALLOW),
]

PROCESS, GROUP, USER = 0, 1, 2
SHARED_CALLS = [
    *[(name, (), EPERM) for name in SHARED],
    *[(name, (), EOPNOTSUPP) for name in ATTRIBUTES],
    *[
        (name, (0, 7), ALLOW)
        for name in ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam")
    ],
    *[
        (name, (7, 7), EPERM)
        for name in ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam")
    ],
    ("sched_setscheduler", (7,), EPERM),
    ("setpriority", (PROCESS, 0), ALLOW),
    ("setpriority", (PROCESS, 7), EPERM),
    ("setpriority", (GROUP, 0), EPERM),
    ("setpriority", (USER, 0), EPERM),
    ("ioprio_set", (1, 0), ALLOW),
    ("ioprio_set", (1, 7), EPERM),
    ("ioprio_set", (3, 0), EPERM),
    ("ioctl", (0, FS_IOC_SETFLAGS), EPERM),
    ("ioctl", (0, 0x5401), ALLOW),
    ("socket", (INET, STREAM), EPERM),
    ("read", (), ALLOW),
]


@pytest.mark.parametrize("machine", machines())
@pytest.mark.parametrize(("name", "arguments", "alone", "online"), CALLS)
def test_system_calls(
    machine: Machine, name: str, arguments: tuple[int, ...], alone: int, online: int
) -> None:
    number = NUMBERS[machine][name]
    for network, expected in ((False, alone), (True, online)):
        program = seccomp_program(machine, network=network)
        assert bpf.run(program, ARCH[machine], number, *arguments) == expected


@pytest.mark.parametrize("machine", machines())
@pytest.mark.parametrize(("name", "arguments", "expected"), SHARED_CALLS)
def test_system_calls_of_commands_that_see_other_processes(
    machine: Machine, name: str, arguments: tuple[int, ...], expected: int
) -> None:
    number = NUMBERS[machine].get(name, 63 if machine == "aarch64" else 0)
    program = seccomp_program(machine, network=False, shared=True)
    assert bpf.run(program, ARCH[machine], number, *arguments) == expected


@pytest.mark.parametrize("machine", machines())
@pytest.mark.parametrize("network", [True, False])
def test_every_other_call_is_allowed(machine: Machine, network: bool) -> None:
    program = seccomp_program(machine, network=network)
    judged = set(NUMBERS[machine].values())
    for number in set(range(500)) - judged:
        assert bpf.run(program, ARCH[machine], number) == ALLOW


@pytest.mark.parametrize("machine", machines())
def test_another_architecture_is_killed(machine: Machine) -> None:
    program = seccomp_program(machine, network=True)
    assert bpf.run(program, 0x40000003, 1) == KILL  # i386, the way of `int 0x80`
    if machine == "x86_64":
        assert bpf.run(program, ARCH[machine], 0x40000000 + 41) == KILL  # x32


@pytest.mark.parametrize("machine", machines())
def test_every_jump_stays_inside_the_program(machine: Machine) -> None:
    code = list(bpf.instructions(seccomp_program(machine, network=False, shared=True)))
    assert len(code) < 300
    for at, (kind, yes, no, _) in enumerate(code):
        if kind in {0x15, 0x35, 0x45}:
            assert max(yes, no) + at + 1 < len(code)
    assert code[-1][0] == 0x06


@pytest.mark.skipif(
    shutil.which("scmp_sys_resolver") is None, reason="scmp_sys_resolver (seccomp) is not installed"
)
@pytest.mark.parametrize("machine", machines())
def test_the_numbers_match_libseccomp(machine: Machine) -> None:
    for name, number in NUMBERS[machine].items():
        done = subprocess.run(
            ["scmp_sys_resolver", "-a", machine, name], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) == number, name
