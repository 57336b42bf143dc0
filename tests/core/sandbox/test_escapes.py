"""Every attack is tried confined, and also unconfined, to show that it works at all."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find
from code_core.sandbox.landlock import Landlock
from code_core.sandbox.sandbox import Sandbox, seccomp_machine
from core.sandbox.attacks import ATTACKS
from core.sandbox.attacks.attack import Attack
from core.sandbox.field import WITH_TREES, Field
from process_hardening.accounts import UNPRIVILEGED_ID, open_to_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

PYTHON = f"/usr/bin/python3.{sys.version_info.minor}"  # one that every user can reach
USERS = [pytest.param(None, id="as this user"), pytest.param(UNPRIVILEGED_ID, id="unprivileged")]
MECHANISMS = ["bwrap", "landlock"]
TREES_AT_ONCE = 10
"""Limit on attacks with their own trees in one command, because each has a dozen mounts."""
DEPENDS_ON_MACHINE = frozenset({"kernel files", "kernel calls", "sockets", "persistence", "IPC"})
"""Groups that need something that this machine or this user may lack."""
DEPENDS_ON_KERNEL = frozenset({
    "files-attribute", "files-remove-an-attribute", "files-attribute-by-descriptor", "files-flags",
    "processes-terminal-input", "processes-the-terminal-that-started-the-agent", "processes-its-processors",
    "processes-compare-with-it", "processes-move-its-memory", "processes-a-line-discipline",
    "processes-signal-through-_proc", "processes-trace-it", "processes-take-a-descriptor-of-it",
    "processes-read-its-memory", "processes-write-its-memory", "processes-advise-its-memory",
})  # fmt: skip


def python_for_all() -> str:
    if not (Path(PYTHON).exists() and open_to_all(Path(PYTHON))):
        pytest.skip(f"{PYTHON} is missing")
    return PYTHON


def require_user(user: int | None) -> None:
    if user is not None and os.getuid() != 0:
        pytest.skip("this user cannot become another")


def sandbox_for(mechanism: str, user: int | None) -> Sandbox:
    found = find("bwrap" if mechanism == "bwrap" else "landlock")
    if found.sandbox is None:
        pytest.skip(f"{mechanism}: {found.detail}")
    if mechanism == "landlock" and user is not None:
        machine = seccomp_machine()
        assert machine is not None
        landlock = Landlock(machine, PYTHON)
        if not all(open_to_all(Path(folder) / ".") for folder in landlock._folders):
            pytest.skip("another user cannot read the packages")
        return landlock
    return found.sandbox


@pytest.fixture(scope="module")
def native() -> Iterator[Path]:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = Path(tempfile.mkdtemp(prefix="code-native-"))
    folder.chmod(0o755)
    source = Path(__file__).with_name("attacks") / "native.c"
    subprocess.run(["gcc", "-o", folder / "attack", source], check=True, timeout=60)
    yield folder / "attack"
    shutil.rmtree(folder)


def outcomes(
    sandbox: Sandbox | None, user: int | None, native: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str | None]:
    """Why each attack failed, or None if it succeeded."""
    plain = [one for one in ATTACKS if one.group not in WITH_TREES]
    trees = [one for one in ATTACKS if one.group in WITH_TREES]
    found: dict[str, str | None] = {}
    chunks = [trees[at : at + TREES_AT_ONCE] for at in range(0, len(trees), TREES_AT_ONCE)]
    for attacks in (plain, *chunks):
        with ExitStack() as stack:
            field = Field(attacks, user, stack)
            with monkeypatch.context() as patch:
                confinement = field.confinement(patch)
            found |= field.run(python_for_all(), native, sandbox, confinement)
    return found


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_attacks_succeed_only_through_the_known_gaps(
    mechanism: str, user: int | None, native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_user(user)
    found = outcomes(sandbox_for(mechanism, user), user, native, monkeypatch)
    escaped = {name for name, problem in found.items() if problem is None}
    known = {attack.ident for attack in ATTACKS if mechanism in (*attack.gaps, *attack.private)}
    assert sorted(escaped - known) == []
    closed = {name: found[name] for name in sorted(known - escaped)}
    assert closed == {}, "these are gaps no more: say so in the table"


@pytest.mark.parametrize("user", USERS)
def test_the_attacks_work_without_a_sandbox(
    user: int | None, native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_user(user)
    found = outcomes(None, user, native, monkeypatch)
    failed = {name: problem for name, problem in found.items() if problem is not None}
    optional = {one.ident for one in ATTACKS if one.group in DEPENDS_ON_MACHINE} | DEPENDS_ON_KERNEL
    assert {name: failed[name] for name in sorted(failed.keys() - optional)} == {}
    assert len(failed) < len(found) / (3 if os.getuid() == 0 and user is None else 2)


def test_the_battery_is_large_and_names_each_attack_once() -> None:
    assert len(ATTACKS) >= 150
    assert len({attack.ident for attack in ATTACKS}) == len(ATTACKS)


USEFUL = """
open("new", "w").write("x"); os.mkdir("d"); os.rename("new", "d/new"); os.chmod("d/new", 0o755); os.link("d/new", "l")
open("/dev/null", "w").write("x"); os.listdir("/etc"); open(outside + "/file").read()
a, b = socket.socketpair(); a.send(b"x"); subprocess.run(["sh", "-c", "true | cat && sleep 0 & wait"], check=True)
subprocess.run(["sh", "-c", "echo x > /dev/stderr; ulimit -c 0; nice true"], check=True, stderr=-1)
import concurrent.futures, pty; assert list(concurrent.futures.ThreadPoolExecutor(2).map(abs, [1, -1])) == [1, 1]
if os.environ["CODEX_SANDBOX"] == "bwrap":  # Landlock lets no command open a terminal, which might be another's
    pty.openpty()

os.open(".", os.O_TMPFILE | os.O_RDWR); open("/proc/self/oom_score_adj").read()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
seen = status["CapEff"].strip(), status["NoNewPrivs"].strip(), status["Seccomp"].strip()
assert seen == ("0" * 16, "1", "2"), seen
"""


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_permissions_of_a_confined_command(
    mechanism: str, user: int | None, native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_user(user)
    sandbox = sandbox_for(mechanism, user)
    with ExitStack() as stack:
        field = Field([Attack("useful", "work", USEFUL)], user, stack)
        found = field.run(python_for_all(), native, sandbox, field.confinement(monkeypatch))
    assert found == {"useful-work": None}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_command_can_tell_that_it_is_confined_and_has_no_descriptors(
    mechanism: str, tmp_path: Path
) -> None:
    sandbox = sandbox_for(mechanism, None)
    script = "echo $CODEX_SANDBOX $CODEX_SANDBOX_NETWORK_DISABLED; ls /proc/self/fd"
    with sandbox.start(
        ["sh", "-c", script], Confinement((tmp_path,)), tmp_path, {"PATH": os.defpath}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read().decode().split() == [mechanism, "1", "0", "1", "2", "3"]


@pytest.mark.parametrize("writable", [True, False])
def test_hidden_paths_cannot_be_read_moved_or_uncovered(writable: bool, tmp_path: Path) -> None:
    """Landlock, which cannot hide a directory, names that as a gap."""
    sandbox = sandbox_for("bwrap", None)
    keys = tmp_path / "home/keys"
    keys.mkdir(parents=True)
    (keys / "MINE").write_text("sk-secret")
    script = "cat keys/MINE; ls -A keys; : >keys/x; mv keys k; rm -r keys; umount keys; cd ..; mv home h; cat h/keys/MINE"
    confinement = Confinement((tmp_path,) if writable else (), hidden=(keys,))
    with sandbox.start(
        ["sh", "-c", script], confinement, keys.parent, {"PATH": os.environ["PATH"]}
    ) as process:
        output, problems = process.communicate()
    assert output == b"", problems
    assert b"sk-secret" not in problems
    kept = next(tmp_path.glob("h*/keys/MINE"))  # a writable home may have been renamed
    assert kept.read_text() == "sk-secret"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_with_network_access_a_command_reaches_the_internet_but_no_local_service(
    mechanism: str, tmp_path: Path
) -> None:
    sandbox = sandbox_for(mechanism, None)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "stream"))
        local.listen()
        program = f"""
import os, socket
socket.create_connection(("127.0.0.1", {server.getsockname()[1]})).close()
other = socket.socket(); other.bind(("127.0.0.1", 0)); other.listen()
print("CONNECTED", "CODEX_SANDBOX_NETWORK_DISABLED" in os.environ, flush=True)
socket.socket(socket.AF_UNIX).connect("stream")
print("ESCAPED")
"""
        confinement = Confinement((tmp_path,), network=True)
        argv = [python_for_all(), "-c", program]
        with sandbox.start(argv, confinement, tmp_path, {"PATH": os.defpath}) as process:
            assert process.stdout is not None
            assert process.stdout.read() == b"CONNECTED False\n"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_exit_code_is_the_commands_own(mechanism: str, tmp_path: Path) -> None:
    sandbox = sandbox_for(mechanism, None)
    for script, code in (("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)):
        with sandbox.start(["sh", "-c", script], Confinement(), tmp_path, {"PATH": os.defpath}) as process:
            pass
        assert process.returncode in {code, 128 - code if code > 128 else code}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_writable_root_directory_does_not_open_kernel_directories(mechanism: str) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may write to the kernel's files anyway")
    sandbox = sandbox_for(mechanism, None)
    script = "for f in /proc/sys/kernel/core_pattern /sys/kernel/mm/transparent_hugepage/enabled; do : 3>>$f; done; : 3>>/run/x-$$; rm /run/x-$$"
    with sandbox.start(
        ["bash", "-c", script], Confinement((Path("/"),)), Path("/"), {"PATH": os.defpath}
    ) as process:
        assert process.stderr is not None
        problems = process.stderr.read().decode()
    assert process.returncode == 0, problems
    if mechanism == "bwrap":
        assert problems.count("Read-only file system") == 2
