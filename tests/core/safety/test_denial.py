"""Messages as programs print them, in a sandbox that lets them write below `/w` and `/tmp` without a network."""

from pathlib import Path

import pytest

from code_core.safety.denial import LONGEST_LINE, MOST_LINES, denied_by_sandbox

W = Path("/w")


def denied(
    output: str, code: int = 1, *, writable: tuple[Path, ...] = (W, Path("/tmp")), network: bool = False
) -> bool:
    return denied_by_sandbox(
        code,
        output,
        cwd=W / "sub",
        writable=writable,
        protected=[W / ".git/config", W / ".code"],
        network=network,
    )


@pytest.mark.parametrize(
    "line",
    [
        "touch: cannot touch '/etc/x': Read-only file system",
        "touch: cannot touch '../../x': Permission denied",
        "bash: line 1: /etc/x: Read-only file system",
        "sh: 1: cannot create /etc/x: Permission denied",
        "OSError: [Errno 30] Read-only file system: '/root/.cache/pip'",
        "PermissionError: [Errno 13] Permission denied: '/var/lib/x'",
        "Error: EROFS: read-only file system, mkdir '/home/u/.npm/_cacache'",
        "Error: EACCES: permission denied, open '/etc/x'",
        "open /root/.cache/go-build/1: read-only file system",
        "error: failed to create directory `/home/u/.cargo/registry`: Read-only file system (os error 30)",
        "chmod: changing permissions of '/etc/x': Operation not permitted",
        "fatal: cannot mkdir /srv/x: Permission denied",
        "error: could not write config file /w/.git/config: Device or resource busy",
        "mv: cannot move '../.code' to 'x': Device or resource busy",
        "touch: cannot touch '/w/.code/rules': Read-only file system",
        'Error: unable to open database "/etc/x.db": unable to open database file',
    ],
)
def test_an_unwritable_path_is_a_denial(line: str) -> None:
    assert denied(f"building\n{line}\nfailed")
    assert not denied(f"building\n{line}\nfailed", 0)
    assert not denied(f"building\n{line}\nfailed", 127)


@pytest.mark.parametrize(
    "output",
    [
        "curl: (6) Could not resolve host: example.com",
        "curl: (7) Couldn't connect to server\nsocket: Operation not permitted",
        "fatal: unable to access 'https://x.com/': Could not resolve host: x.com",
        "ping: socket: Operation not permitted",
        "wget: unable to resolve host address 'example.com'",
        "npm error request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org",
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
        "dial tcp: lookup proxy.golang.org: socket: operation not permitted",
        "Error: connect EPERM 127.0.0.1:80",
        "_socket.socket.__init__(self, family)\n^^^\nPermissionError: [Errno 1] Operation not permitted",
    ],
)
def test_a_network_error_is_a_denial(output: str) -> None:
    assert denied(output)
    assert not denied(output, network=True)


@pytest.mark.parametrize(
    "output",
    [
        "./sandbox/package.json",
        'E   assert "landlock" == mode',
        "HTTP 403: permission denied for this token",
        "remote: Permission denied to u/x.git",
        "https://x.com/a: permission denied",
        "seccomp: 3 filters; failed to write file",
        "1 failed, 2 passed",
        "sh: 1: ./x: Permission denied",
        "sh: 1: /w/x: Permission denied",
        "PermissionError: [Errno 13] Permission denied: 'file'",
        "bash: file: Permission denied",
        "OSError: [Errno 1] Operation not permitted",
        "umount: /w/x: Device or resource busy",
        "rm: cannot remove '/mnt/x': Device or resource busy",
        "socket.create_connection(x)\nfailed",
        "socket.create_connection(x)\n1\n2\n3\n4\nOSError: [Errno 1] Operation not permitted",
        "",
    ],
)
def test_an_ordinary_failure_is_not_a_denial(output: str) -> None:
    assert not denied(output)


@pytest.mark.parametrize(
    "line", ["touch: cannot touch 'x': Read-only file system", "bash: x: Permission denied"]
)
def test_if_nothing_is_writable_a_bare_file_name_is_enough(line: str) -> None:
    assert denied(line, writable=())
    assert not denied(line)


@pytest.mark.parametrize(
    "line",
    ["open 'http:/x': Permission denied", "open 'http://x': Permission denied", "'/a\0b': Permission denied"],
)
def test_an_address_or_an_impossible_file_name_is_not_a_path(line: str) -> None:
    assert denied(line, writable=()) is ("://" not in line and "\0" not in line)


def test_a_forbidden_system_call_is_a_denial() -> None:
    assert denied("", 159)


def test_a_long_output_is_searched_in_bounded_time_and_at_both_ends() -> None:
    line = "touch: cannot touch '/etc/x': Read-only file system"
    filler = ["connect " * 50_000] + ["x"] * 2 * MOST_LINES
    assert denied("\n".join([line, *filler]))
    assert denied("\n".join([*filler, line]))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (MOST_LINES // 2 - 1, MOST_LINES * 2, True),
        (MOST_LINES // 2, MOST_LINES * 2, False),
        (MOST_LINES * 2, MOST_LINES // 2 - 1, True),
        (MOST_LINES * 2, MOST_LINES // 2, False),
        (MOST_LINES // 2, MOST_LINES // 2 - 1, True),
        (MOST_LINES // 2 - 1, 0, True),
    ],
)
def test_only_lines_near_an_end_count(before: int, after: int, expected: bool) -> None:
    line = "touch: cannot touch '/etc/x': Read-only file system"
    assert denied("\n".join([*["x"] * before, line, *["x"] * after])) is expected


def test_only_the_beginning_of_a_line_counts() -> None:
    assert denied(f"{' ' * (LONGEST_LINE - 30)}'/etc/x': Permission denied", network=True)
    assert not denied(f"{'x ' * LONGEST_LINE}'/etc/x': Permission denied", network=True)
