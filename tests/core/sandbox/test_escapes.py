"""Each attack runs confined, and unconfined as the control that it works at all."""

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find
from code_core.sandbox.landlock import Landlock
from code_core.sandbox.sandbox import Sandbox, seccomp_machine
from core.sandbox.escapes import ATTACKS, NATIVE, PREAMBLE, Attack
from process_hardening.accounts import UNPRIVILEGED_ID, open_to_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

PYTHON = f"/usr/bin/python3.{sys.version_info.minor}"  # one that every user can reach
USERS = [pytest.param(None, id="as this user"), pytest.param(UNPRIVILEGED_ID, id="unprivileged")]
MECHANISMS = ["bwrap", "landlock"]


class Range:
    """A folder with a writable part and one that is not, local services, and a victim."""

    def __init__(self, user: int | None, stack: ExitStack) -> None:
        self.user = user
        self.base = Path(tempfile.mkdtemp(prefix="code-escape-"))
        stack.callback(shutil.rmtree, self.base)
        work, outside = self.base / "work", self.base / "outside"
        for folder in (work / ".git/hooks", work / "sub/.git", outside):
            folder.mkdir(parents=True)
        for file in (work / "file", outside / "file", work / ".git/config"):
            file.write_text("x")
        self.stream = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.stream.bind(str(outside / "stream"))
        self.abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.abstract.bind(f"\0{self.base}")
        for listener in (self.stream, self.abstract):
            listener.listen()
        self.datagram = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.datagram.bind(str(outside / "datagram"))
        self.base.chmod(0o755)
        if user is not None:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, user, user, follow_symlinks=False)
        self.victim = subprocess.Popen(["sleep", "600"], env={"SECRET": "x"}, **self._as_user())
        stack.callback(self.victim.wait)
        stack.callback(self.victim.kill)

    def _as_user(self) -> dict[str, Any]:
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    @property
    def confinement(self) -> Confinement:
        work = self.base / "work"
        return Confinement((work,), (work / ".git", work / "sub/.git"))

    def run(self, argv: list[str], sandbox: Sandbox | None, *, close_fds: bool = True) -> str:
        """What `argv` prints, confined or not."""
        environment = {"PATH": "/usr/bin:/bin"}
        argv = [*argv, str(self.base), str(self.victim.pid)]
        with ExitStack() as stack:
            fds: tuple[int, ...] = ()
            if sandbox is not None:
                launch = stack.enter_context(sandbox.confined(argv, self.confinement, self.base, environment))
                argv, environment, fds = launch.argv, launch.environment, launch.fds
            done = subprocess.run(
                argv,
                env=environment,
                cwd=self.base,
                pass_fds=fds,
                close_fds=close_fds,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=30,
                start_new_session=True,
                check=False,
                **self._as_user(),
            )
        self.said = done.stderr
        return str(done.stdout)


@pytest.fixture(params=USERS)
def field(request: pytest.FixtureRequest) -> Iterator[Range]:
    if request.param is not None and os.getuid() != 0:
        pytest.skip("this user cannot become another")
    if not (Path(PYTHON).exists() and open_to_all(Path(PYTHON))):
        pytest.skip(f"{PYTHON} is missing")
    with ExitStack() as stack:
        yield Range(request.param, stack)


def sandbox_for(mechanism: str, field: Range) -> Sandbox:
    found = find("bwrap" if mechanism == "bwrap" else "landlock")
    if found.sandbox is None:
        pytest.skip(f"{mechanism}: {found.detail}")
    if mechanism == "landlock" and field.user is not None:
        machine = seccomp_machine()
        assert machine is not None
        found_here = Landlock(machine, PYTHON)
        if not all(open_to_all(Path(folder) / ".") for folder in found_here._folders):
            pytest.skip("another user cannot read the packages")
        return found_here
    return found.sandbox


def python(program: str) -> list[str]:
    return [PYTHON, "-c", PREAMBLE + program]


def survivors(field: Range) -> list[psutil.Process]:
    mark = f"300.{field.victim.pid}"
    return [
        process for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])
    ]


def attempt(attack: Attack, field: Range, sandbox: Sandbox | None) -> bool:
    """Whether the attack got through."""
    if attack.name.startswith("inherited"):
        flags = os.O_RDONLY | os.O_DIRECTORY if attack.name.endswith("directory") else os.O_WRONLY
        target = "outside" if attack.name.endswith("directory") else "outside/file"
        fd = os.open(field.base / target, flags)
        os.set_inheritable(fd, True)
        try:
            return "ESCAPED" in field.run(python(attack.program), sandbox, close_fds=sandbox is not None)
        finally:
            os.close(fd)
    told = field.run(python(attack.program), sandbox)
    if attack.name == "outlive the call":
        assert "STARTED" in told, field.said
        left = survivors(field)
        for process in left:
            process.kill()
        return bool(left)
    return "ESCAPED" in told


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_escape(attack: Attack, mechanism: str, field: Range) -> None:
    sandbox = sandbox_for(mechanism, field)
    escaped = attempt(attack, field, sandbox)
    assert escaped is (attack.gap and mechanism == "landlock"), field.said


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_attack_works_without_a_sandbox(attack: Attack, field: Range) -> None:
    if not attempt(attack, field, None):
        pytest.skip(f"not possible on this machine anyway: {field.said.strip().splitlines()[-1:]}")


@pytest.fixture(scope="module", params=list(NATIVE))
def native(request: pytest.FixtureRequest) -> Iterator[Path]:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    if request.param.startswith("32-bit") and platform.machine() != "x86_64":
        pytest.skip("only x86-64 has it")
    folder = Path(tempfile.mkdtemp(prefix="code-native-"))
    folder.chmod(0o755)
    source = folder / "attack.c"
    source.write_text(NATIVE[request.param])
    subprocess.run(["gcc", "-o", folder / "attack", source], check=True, timeout=60)
    yield folder / "attack"
    shutil.rmtree(folder)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_native_escape(native: Path, mechanism: str, field: Range) -> None:
    assert "ESCAPED" not in field.run([str(native)], sandbox_for(mechanism, field))


def test_the_native_attack_works_without_a_sandbox(native: Path, field: Range) -> None:
    if "ESCAPED" not in field.run([str(native)], None):
        pytest.skip("not possible on this machine anyway")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_a_confined_command_may_do(mechanism: str, field: Range) -> None:
    program = """
open("new", "w").write("x"); os.mkdir("d"); os.rename("new", "d/new"); os.chmod("d/new", 0o755); os.link("d/new", "l")
open("/dev/null", "w").write("x"); os.listdir("/etc"); open(outside + "/file").read()
a, b = socket.socketpair(); a.send(b"x"); subprocess.run(["sh", "-c", "true | cat && sleep 0 & wait"], check=True)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["CapEff"].strip(), status["NoNewPrivs"].strip(), status["Seccomp"].strip())
print(os.environ["CODEX_SANDBOX"], os.environ["CODEX_SANDBOX_NETWORK_DISABLED"], sorted(os.listdir("/proc/self/fd"))[:3])
"""
    told = field.run(python(program), sandbox_for(mechanism, field)).splitlines()
    assert told == ["0" * 16 + " 1 2", f"{mechanism} 1 ['0', '1', '2']"], field.said


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_with_network_there_is_the_internet_but_no_local_service(mechanism: str, field: Range) -> None:
    sandbox = sandbox_for(mechanism, field)
    server = socket.create_server(("127.0.0.1", 0))
    with server:
        program = f"""
socket.create_connection(("127.0.0.1", {server.getsockname()[1]})).close()
print("CONNECTED", "CODEX_SANDBOX_NETWORK_DISABLED" in os.environ, flush=True)
socket.socket(socket.AF_UNIX).connect(outside + "/stream")
print("ESCAPED")
"""
        argv = [*python(program), str(field.base), str(field.victim.pid)]
        open_confinement = Confinement((field.base / "work",), network=True)
        with sandbox.confined(argv, open_confinement, field.base, {"PATH": "/usr/bin:/bin"}) as launch:
            done = subprocess.run(
                launch.argv,
                env=launch.environment,
                cwd=field.base,
                pass_fds=launch.fds,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                **field._as_user(),
            )
    assert done.stdout == "CONNECTED False\n", done.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_exit_code_is_the_commands_own(mechanism: str, field: Range) -> None:
    sandbox = sandbox_for(mechanism, field)
    for script, code in (("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)):
        with sandbox.confined(
            ["sh", "-c", script], field.confinement, field.base, {"PATH": "/bin"}
        ) as launch:
            done = subprocess.run(
                launch.argv,
                env=launch.environment,
                cwd=field.base,
                pass_fds=launch.fds,
                check=False,
                **field._as_user(),
            )
        assert done.returncode in {code, -code + 128}
