import signal
import subprocess
from pathlib import Path
from shutil import which

import pytest

from process_hardening.accounts import Account
from process_hardening.environments import Environment, uv
from process_hardening.probing import BASE, running

ATTACKER = Path(__file__).parent / "attacker.py"

CONTROL = """
import sys
from code_process_hardening import libc
from code_responses_api_proxy import report
try: libc.prctl(0x59616D61, 2**64 - 1)  # PR_SET_PTRACER_ANY: where Yama is, it is not what is tested
except OSError: pass
report()
"""


@pytest.mark.parametrize("name", ["mem", "environ", "maps", "fd", "auxv", "io"])
def test_a_process_of_the_same_user_cannot_read(name: str, account: Account, installed: Environment) -> None:
    read = [installed.python, "-c", ATTACKER.read_text(), "read", name]
    with (
        running(account, [installed.python, "-c", CONTROL]) as (control, _),
        running(account, [installed.script]) as (hardened, report),
    ):
        assert report["dumpable"] == 0
        assert account.run([*read, str(control)]).stdout == b"allowed\n"
        assert account.run([*read, str(hardened)]).stdout == b"denied\n"


def attached(account: Account, command: list[str], pid: int) -> bool:
    return account.run([*command, str(pid)], env=BASE, cwd="/").returncode == 0


def test_py_spy_cannot_attach(account: Account, installed: Environment) -> None:
    uv("pip", "install", "--quiet", "--python", installed.python, "py-spy")
    command = [str(installed.folder / "bin" / "py-spy"), "dump", "--pid"]
    with (
        running(account, [installed.python, "-c", CONTROL]) as (control, _),
        running(account, [installed.script]) as (hardened, _),
    ):
        if not attached(account, command, control):
            pytest.skip("py-spy cannot read even an unhardened process here")
        assert not attached(account, command, hardened)


@pytest.mark.skipif(which("gdb") is None, reason="gdb is not installed")
def test_a_debugger_cannot_attach(account: Account, installed: Environment) -> None:
    def output(pid: int) -> bytes:
        done = account.run(["gdb", "-nx", "-batch", "-ex", "info proc", "-p", str(pid)], env=BASE, cwd="/")
        return done.stdout + done.stderr

    with (
        running(account, [installed.python, "-c", CONTROL]) as (control, _),
        running(account, [installed.script]) as (hardened, _),
    ):
        if b"ptrace: " in output(control):
            pytest.skip("gdb cannot attach even to an unhardened process here")
        assert b"ptrace: Operation not permitted" in output(hardened)


def keys_read(account: Account, installed: Environment, memory: str, rounds: int) -> tuple[int, str]:
    command = [installed.python, "-c", ATTACKER.read_text(), "race", memory, str(rounds), installed.python]
    done = account.run(command, timeout=100, env=BASE, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
    kind, count = done.stdout.split()
    return int(count), kind.decode()


def test_memory_opened_while_the_process_starts_never_shows_a_key_in_secret_memory(
    account: Account, installed: Environment
) -> None:
    count, kind = keys_read(account, installed, "secret", 20)
    if kind != "SECRET":
        pytest.skip("this kernel has no memfd_secret")
    assert count == 0


def test_memory_opened_while_the_process_starts_shows_a_key_in_ordinary_memory(
    account: Account, installed: Environment
) -> None:
    count, kind = keys_read(account, installed, "locked", 20)
    assert kind == "LOCKED"
    assert count > 0, "the attack itself does not work, so the other test proves nothing"


def test_an_abort_leaves_no_core_file(account: Account, installed: Environment, open_folder: Path) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/")):
        pytest.skip(f"core files go elsewhere: {pattern}")

    def cores_after_abort(name: str, *command: str) -> list[str]:
        folder = open_folder / name
        folder.mkdir()
        folder.chmod(0o777)
        shell = ["/bin/sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh", *command]
        with account.start(
            shell, env=BASE, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stdout.readline()
            process.send_signal(signal.SIGABRT)
            process.wait(20)
        assert process.returncode == -signal.SIGABRT
        return [path.name for path in folder.iterdir()]

    assert cores_after_abort("control", installed.python, "-c", CONTROL) != []
    assert cores_after_abort("hardened", installed.script) == []
