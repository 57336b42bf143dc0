"""Commands end with the agent: by every signal, under every mechanism, and what they have put in other sessions."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from code_core.process.guardian import VARIABLE
from code_core.sandbox.detection import find
from code_core.sandbox.sandbox import Mechanism

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

AGENT = """
import os, sys
from pathlib import Path
import anyio
from code_core.process.guardian import start_guarded
from code_core.process.spawn import follow
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find

mechanism, mark, script = sys.argv[1:]
argv, cwd, environment = ["sh", "-c", script, "sh", mark], Path.cwd(), {"PATH": os.environ["PATH"]}

async def report(_, chunk):
    os.write(1, chunk)

async def main():
    if mechanism == "none":
        process = start_guarded(argv, cwd, environment)
    else:
        process = find(mechanism).sandbox.start(argv, Confinement((cwd,)), cwd, environment)
    await follow(process, time_limit=600, on_output=report)
    os.write(1, b"ended\\n")
    await anyio.sleep(600)

anyio.run(main)
"""
RUNNING = """
sleep $1 &
setsid sleep $1 &
env -i sleep $1 &
(setsid sh -c "sleep $1 & sleep $1" >/dev/null 2>&1 &)
sh -c "trap '' TERM HUP; sleep $1" &
echo begun; wait
"""


def alive(mark: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in (process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and "-c" not in process.info["cmdline"]
    ]


def gone(mark: str) -> bool:
    until = time.monotonic() + 15
    while alive(mark) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(mark)


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> Iterator[str]:
    mark = f"300.{os.getpid()}{abs(hash(request.node.name)) % 10**6}"
    yield mark
    for process in alive(mark):
        process.kill()


def begun(mark: str, number: int) -> bool:
    until = time.monotonic() + 15
    while len(alive(mark)) < number and time.monotonic() < until:
        time.sleep(0.02)
    return len(alive(mark)) >= number


@contextmanager
def agent(
    folder: Path, mechanism: str, mark: str, script: str, program: str = AGENT
) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", program, mechanism, mark, script]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def available(mechanism: str) -> None:
    names: dict[str, Mechanism] = {"bwrap": "bwrap", "landlock": "landlock"}
    if mechanism in names and find(names[mechanism]).sandbox is None:
        pytest.skip(find(names[mechanism]).detail)


@pytest.mark.parametrize("mechanism", ["none", "landlock", "bwrap"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_running_commands_end_with_the_agent(
    tmp_path: Path, mechanism: str, signum: signal.Signals, mark: str
) -> None:
    available(mechanism)
    with agent(tmp_path, mechanism, mark, RUNNING) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert begun(mark, 6)
        process.send_signal(signum)
        process.wait()
    assert gone(mark)


def test_processes_left_by_an_unconfined_command_end_with_the_agent_but_not_before(
    tmp_path: Path, mark: str
) -> None:
    with agent(tmp_path, "none", mark, "setsid sleep $1 >/dev/null 2>&1 & echo begun") as process:
        assert process.stdout is not None
        assert process.stdout.read(12) == b"begun\nended\n"
        assert begun(mark, 1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert gone(mark)


@pytest.mark.parametrize("mechanism", ["landlock", "bwrap"])
def test_processes_left_by_a_confined_command_end_with_the_command(
    tmp_path: Path, mechanism: str, mark: str
) -> None:
    available(mechanism)
    script = '(env -i setsid sh -c "sleep $1 & sleep $1" >/dev/null 2>&1 &); sleep 0.2; echo begun; exit 3'
    with agent(tmp_path, mechanism, mark, script) as process:
        assert process.stdout is not None
        assert process.stdout.read(12) == b"begun\nended\n"
        assert gone(mark)


def test_without_a_guardian_a_command_still_runs(tmp_path: Path, mark: str) -> None:
    """The control."""
    program = AGENT.replace(
        "from code_core.process.guardian import start_guarded",
        "from code_core.process.spawn import start_command as start_guarded",
    )
    with agent(tmp_path, "none", mark, RUNNING, program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert begun(mark, 6)
        process.kill()
        process.wait()
        time.sleep(1)
        assert len(alive(mark)) >= 6


def test_other_processes_of_the_user_are_left_alone(tmp_path: Path, mark: str) -> None:
    stranger = subprocess.Popen(["sleep", mark], env={VARIABLE: "another agent's"}, start_new_session=True)
    try:
        with agent(tmp_path, "none", mark, "sleep 300 & echo begun; wait") as process:
            assert process.stdout is not None
            process.stdout.readline()
            guardian = next(
                child for child in psutil.Process(process.pid).children() if "-I" in child.cmdline()
            )
            process.kill()
            process.wait()
        psutil.wait_procs([guardian], timeout=15)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
