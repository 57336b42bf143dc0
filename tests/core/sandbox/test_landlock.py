"""The process that waits for the next command."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find
from code_core.sandbox.landlock import Landlock
from code_core.sandbox.sandbox import seccomp_machine

pytestmark = pytest.mark.skipif(
    find("landlock").sandbox is None, reason=f"Landlock {find('landlock').detail}"
)


@pytest.fixture
def landlock() -> Iterator[Landlock]:
    machine = seccomp_machine()
    assert machine is not None
    sandbox = Landlock(machine)
    yield sandbox
    sandbox.close()


def run(sandbox: Landlock, script: str, cwd: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    with sandbox.start(
        ["sh", "-c", script, *arguments], Confinement((cwd,)), cwd, {"PATH": os.defpath, **environment}
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read().decode()
    return process.returncode, output


def waiting(sandbox: Landlock) -> psutil.Process:
    assert sandbox._waiting is not None
    return psutil.Process(sandbox._waiting.process.pid)


def test_each_command_has_its_own_permissions_directory_and_environment(
    landlock: Landlock, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        before = landlock._waiting
        result = run(landlock, f'pwd; echo $NAME $CODEX_SANDBOX; for i in a b c; do touch "{tmp_path}"/$i/{name}; done',
                   tmp_path / name, NAME=name)  # fmt: skip
        assert result[1] == f"{tmp_path / name}\n{name} landlock\n"
        assert before is None or before is not landlock._waiting
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")) == ["a/a", "b/b", "c/c"]


def test_a_command_larger_than_a_pipe_arrives_completely(landlock: Landlock, tmp_path: Path) -> None:
    arguments = ["x" * 100_000] * 10
    for _ in range(2):
        assert run(landlock, 'for i; do echo -n "$i"; done | wc -c', tmp_path, "sh", *arguments) == (
            0,
            "1000000\n",
        )


def test_a_file_that_disappears_before_it_is_granted_does_not_matter(
    landlock: Landlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    kept.touch()
    monkeypatch.setattr("code_core.sandbox.landlock.granted", lambda _: ([gone], [gone, kept]))
    assert run(landlock, "echo x >kept; touch gone; cat kept", tmp_path)[1].endswith("x\n")
    assert not gone.exists()


def test_a_helper_that_ended_is_replaced(landlock: Landlock, tmp_path: Path) -> None:
    run(landlock, "true", tmp_path)
    process = waiting(landlock)
    process.kill()
    assert landlock._waiting is not None
    landlock._waiting.process.wait()
    assert run(landlock, "echo here; exit 7", tmp_path) == (7, "here\n")


def test_a_stopped_helper_does_not_block(landlock: Landlock, tmp_path: Path) -> None:
    run(landlock, "true", tmp_path)
    spare = waiting(landlock)
    spare.suspend()
    command = ["sh", "-c", "echo here"]
    environment = {"PATH": os.defpath, "LARGE": "x" * 120_000}
    with landlock.start(command, Confinement(), tmp_path, environment) as process:
        spare.resume()
        assert process.stdout is not None
        assert process.stdout.read() == b"here\n"


def test_a_helper_that_has_ended_takes_no_command() -> None:
    machine = seccomp_machine()
    assert machine is not None
    spare = Landlock(machine, "/bin/false")._wait(None)
    spare.process.wait()
    assert not spare.begin(b"x" * 200_000)


def test_a_command_has_the_signals_of_any_other(landlock: Landlock, tmp_path: Path) -> None:
    script = "yes | head -1; echo ${PIPESTATUS[0]}"
    for _ in range(2):
        with landlock.start(["bash", "-c", script], Confinement(), tmp_path, {"PATH": os.defpath}) as process:
            assert process.stdout is not None
            assert process.stdout.read() == b"y\n141\n"


def test_impossible_arguments_are_reported_without_a_traceback(landlock: Landlock, tmp_path: Path) -> None:
    with landlock.start(["sh", "-c", "a\0b"], Confinement(), tmp_path, {"PATH": os.defpath}) as process:
        assert process.stderr is not None
        assert process.stderr.read() == b"sh: cannot be run: embedded null byte\n"
    assert process.returncode == 126


def test_the_helper_has_no_secrets_and_ends_with_the_agent(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from core.sandbox.test_landlock import *\n"
        "sandbox = Landlock(seccomp_machine()); run(sandbox, 'true', Path.cwd())\n"
        "print(waiting(sandbox).pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "A_SECRET": "hush"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as agent:
        assert agent.stdout is not None
        spare = psutil.Process(int(agent.stdout.readline()))
        assert spare.is_running()
        assert "A_SECRET" not in spare.environ()
        agent.send_signal(signal.SIGKILL)
    psutil.wait_procs([spare], timeout=10)
    assert not spare.is_running() or spare.status() == psutil.STATUS_ZOMBIE
