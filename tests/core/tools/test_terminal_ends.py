"""How a command that may outlive its call ends: by itself, or when it is stopped."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from code_core.process.pty import Line, pipe_line
from code_core.process.spawn import start_command, terminate_group
from code_core.sandbox.confinement import Confinement
from code_core.tools import terminal_session as module
from code_core.tools.terminal_session import TerminalSession
from core.tools.terminal_sessions import Make, run, script, unchanged, until
from core.tools.test_exec_command import running


def test_a_killed_command_has_the_exit_code_of_its_signal(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.end is not None
        assert one.end.code == 128 + signal.SIGKILL

    run(script("kill -9 $$", tmp_path), body)


@pytest.mark.parametrize("tty", [True, False])
def test_a_stop_ends_the_command_and_is_reported(tmp_path: Path, tty: bool) -> None:
    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        await one.wait(0.05)
        assert not one.finished.is_set()
        one.stop()
        await one.wait(10)
        assert one.stopped
        assert one.end is not None
        assert one.end.code == 128 + (signal.SIGHUP if tty else signal.SIGTERM)

    run(script("echo ready; exec sleep 60", tmp_path, tty=tty), body)


def test_a_program_can_clean_up_when_its_terminal_closes(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        one.stop()
        await one.wait(10)
        assert one.end is not None
        assert one.end.code == 7

    run(
        script("trap 'sleep 0.3; exit 7' HUP; echo ready; while :; do sleep 0.1; done", tmp_path, tty=True),
        body,
    )


def test_a_background_job_can_clean_up_when_its_terminal_closes(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        one.stop()
        await one.wait(10)
        assert (tmp_path / "tidy").exists()

    slowly = "i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); done; : > tidy; exit"
    job = f"(trap '' HUP; trap '{slowly}' TERM; echo ready; while :; do sleep 0.05; done)"
    run(script(f"{job} & exec sleep 60", tmp_path, tty=True), body)


@pytest.mark.parametrize("tty", [True, False])
def test_a_command_that_ignores_signals_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tty: bool
) -> None:
    monkeypatch.setattr(module, "TERMINATE_SECONDS", 0.2)
    monkeypatch.setattr("code_core.process.spawn.TERMINATE_SECONDS", 0.2)
    mark = f"10{os.getpid()}{'1' if tty else '2'}"

    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        one.stop()
        await one.wait(10)
        assert one.end is not None
        assert one.end.code == 128 + signal.SIGKILL
        assert running(mark) == []

    stubborn = f"trap '' HUP TERM; setsid sleep {mark} & echo ready; while :; do sleep 0.1; done"
    run(script(stubborn, tmp_path, tty=tty), body)


def test_background_processes_end_with_the_command(tmp_path: Path) -> None:
    mark = f"20{os.getpid()}"

    async def body(one: TerminalSession) -> None:
        began = anyio.current_time()
        await one.wait(15)
        assert one.end is not None
        assert running(mark) == []
        assert anyio.current_time() - began < 2  # nobody holds the pipe any more

    run(script(f"setsid sleep {mark} & sleep 0.1", tmp_path), body)


@pytest.mark.parametrize("tty", [True, False])
def test_a_cancelled_command_leaves_no_processes(tmp_path: Path, tty: bool) -> None:
    mark = f"30{os.getpid()}{'1' if tty else '2'}"

    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        assert len(running(mark)) == 1

    one = run(script(f"setsid sleep {mark} & sleep 0.1; echo ready; wait", tmp_path, tty=tty), body)
    assert running(mark) == []
    assert one.stopped


def test_an_output_held_open_by_another_process_is_not_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.2)
    held: list[int] = []

    @contextmanager
    def line() -> Iterator[Line]:
        with pipe_line() as made:
            held.append(os.dup(made.streams.stdout))  # another process that the command knows
            yield made

    monkeypatch.setattr(module, "pipe_line", line)

    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.end is not None
        assert one.take() == ("done\n", 0)
        assert one.end.seconds < 5

    run(script("echo done", tmp_path), body)
    os.close(held[0])


def test_the_guardian_is_told_about_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(module, "ended", over.append)

    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert [process.returncode for process in over] == [0]

    run(script("true", tmp_path), body)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a sandbox without confinement was asked to start."""
    calls: list[Any] = []

    @asynccontextmanager
    async def confined(*arguments: Any, **options: Any) -> AsyncIterator[subprocess.Popen[bytes]]:
        calls.append((arguments, options))
        _, argv, _, cwd, environment = arguments
        yield start_command(argv, cwd, environment, (), options["streams"])

    monkeypatch.setattr(module, "confined_process", confined)
    return calls


def in_sandbox(text: str, folder: Path, **more: Any) -> Make:
    sandbox = SimpleNamespace(terminate=terminate_group)
    return script(text, folder, sandbox=sandbox, confinement=Confinement((folder,)), **more)


def test_a_confined_command_is_started_by_its_sandbox(tmp_path: Path, started: list[Any]) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.take() == ("inside\n", 0)

    command = run(in_sandbox("echo inside", tmp_path), body).command
    ((arguments, options),) = started
    assert arguments == (
        command.sandbox,
        ["sh", "-c", "echo inside"],
        command.confinement,
        tmp_path,
        command.environment,
    )
    assert options["on_changed"] is unchanged


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("tty", [True, False])
def test_a_confined_command_that_ignores_signals_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tty: bool
) -> None:
    monkeypatch.setattr(module, "TERMINATE_SECONDS", 0.2)
    monkeypatch.setattr("code_core.process.spawn.TERMINATE_SECONDS", 0.2)

    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        one.stop()
        await one.wait(10)
        assert one.end is not None
        assert one.end.code == 128 + signal.SIGKILL

    run(in_sandbox("trap '' HUP TERM; echo ready; while :; do sleep 0.1; done", tmp_path, tty=tty), body)
