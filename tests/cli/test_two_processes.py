"""Two processes with one home: neither touches what the other uses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"
LOCKLESS = Path(__file__).parent / "lockless_engine.py"
OLD = time.time() - 100 * 86_400
CLEANING = """
[sessions]
keep_days = 30
[outputs]
keep_days = 30
[checkpoints]
keep_days = 30
"""


@pytest.fixture(autouse=True)
def configured(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    with (workspace.home / "config.toml").open("a") as file:
        file.write(CLEANING)


def runs(script: str, call_id: str = "c1") -> Any:
    return stream(
        sse.created(),
        sse.function_call("shell", {"command": ["bash", "-c", script]}, call_id),
        sse.completed(),
    )


def reply(text: str) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed())


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


def make_old(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (OLD, OLD))


@pytest.fixture
def running(workspace: Workspace, upstream: ScriptedUpstream) -> Iterator[subprocess.Popen[str]]:
    """A session with outputs and a checkpoint, while a command runs."""
    upstream.add(runs("seq 60000; echo mine > kept"), reply("ok"), runs("touch started; sleep 60", "c2"))
    assert workspace.run("exec", FULL, "go").returncode == 0
    process = workspace.start("exec", FULL, "resume", "--last", "go on")
    wait_for(workspace.directory / "started", process)
    yield process
    process.kill()
    process.communicate()


def test_cleaning_keeps_what_a_running_session_uses(
    workspace: Workspace, upstream: ScriptedUpstream, running: subprocess.Popen[str]
) -> None:
    home = workspace.home
    (rollout,) = home.glob("sessions/*/*/*/*.jsonl")
    session = rollout.stem[-36:]
    used = [home / "outputs" / session, home / "checkpoints" / session]
    dead = "11111111-2222-4333-8444-555555555555"
    left = [home / "outputs" / dead, home / "checkpoints" / dead]
    for folder in left:
        folder.mkdir()
        (folder / "file").touch()
    old = rollout.with_name(f"rollout-2026-01-01T00-00-00-{dead}.jsonl")
    old.write_bytes(rollout.read_bytes())
    stale = home / "locks" / f"{dead}.lock"
    stale.write_text("{}")
    for path in (*used, *left, rollout, old, stale):
        assert path.exists()
        make_old(path)
    before = sorted(path for folder in used for path in folder.rglob("*"))

    (home / "locks" / "cleaning").unlink(missing_ok=True)
    gone = " -o ".join(f"-e {path}" for path in (*left, old, stale))
    upstream.add(
        runs(f"for i in $(seq 300); do [ {gone} ] || exit 0; sleep 0.1; done; exit 1"), reply("clean")
    )
    done = workspace.run("exec", FULL, "wait until it is clean")
    assert done.stdout == "clean\n"
    assert "exit 0" in done.stderr
    assert sorted(path for folder in used for path in folder.rglob("*")) == before
    assert rollout.exists()

    running.send_signal(signal.SIGKILL)
    running.wait()
    assert "undid changes to 1 file" in workspace.run("undo", session).stdout


def test_a_home_without_file_locks(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    def code(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(LOCKLESS), *arguments],
            cwd=workspace.directory,
            env=workspace.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    upstream.add(runs("touch started; sleep 60"))
    process = subprocess.Popen(
        [sys.executable, str(LOCKLESS), "exec", FULL, "go"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(workspace.directory / "started", process)
        refused = code("exec", "resume", "--last", "hi")
        assert refused.returncode == 1
        assert f"is open in process {process.pid}, since " in refused.stderr
        assert refused.stderr.count("\n") == 1
    finally:
        process.kill()
        _, shown = process.communicate()
    assert shown.count("does not support locks (No locks available)") == 1
    upstream.add(reply("taken over"))
    done = code("exec", "resume", "--last", "hi")
    assert (done.returncode, done.stdout) == (0, "taken over\n")
