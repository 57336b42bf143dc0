import os
import signal
import sys
import time
from pathlib import Path

import anyio
import pytest

from code_core.process.spawn import Exit, SpawnError, require_program, run_command


def run(*argv: str, time_limit: float = 20, cwd: Path = Path("/")) -> tuple[Exit, bytes, bytes]:
    output = {"stdout": b"", "stderr": b""}

    async def on_output(stream: str, chunk: bytes) -> None:
        assert len(chunk) <= 8192
        output[stream] += chunk

    async def main() -> Exit:
        return await run_command(
            argv,
            cwd=cwd,
            environment={"PATH": os.environ["PATH"], "A": "b"},
            time_limit=time_limit,
            on_output=on_output,
        )

    return anyio.run(main), output["stdout"], output["stderr"]


def gone(pid: int) -> bool:
    """Whether the process has ended, or does so soon: a signal takes effect when the process runs next."""
    until = time.monotonic() + 5
    while not (ended := _has_ended(pid)) and time.monotonic() < until:
        time.sleep(0.01)
    return ended


def _has_ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    return "State:\tZ" in status


def test_output_exit_code_directory_and_environment(tmp_path: Path) -> None:
    end, out, err = run("sh", "-c", "pwd; echo $A; echo bad >&2; exit 7", cwd=tmp_path)
    assert (end.code, end.timed_out) == (7, False)
    assert (out, err) == (f"{tmp_path}\nb\n".encode(), b"bad\n")


def test_a_command_has_no_input() -> None:
    assert run("cat")[:2][1] == b""


def test_the_exit_code_for_a_signal_is_128_plus_its_number() -> None:
    assert run("sh", "-c", "kill -SEGV $$")[0].code == 128 + signal.SIGSEGV


def test_a_large_output_arrives_completely() -> None:
    end, out, _ = run(sys.executable, "-c", "import sys; sys.stdout.write('0123456789' * 300_000)")
    assert end.code == 0
    assert out == b"0123456789" * 300_000


def test_a_timeout_ends_the_whole_group_and_keeps_its_output(tmp_path: Path) -> None:
    end, out, _ = run(
        "sh", "-c", "echo begun; sleep 60 & echo $! > child; wait", time_limit=0.3, cwd=tmp_path
    )
    assert (end.code, end.timed_out) == (124, True)
    assert out == b"begun\n"
    assert gone(int((tmp_path / "child").read_text()))


def test_a_group_that_ignores_term_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$ > child; while :; do sleep 1; done\" & wait"
    started = time.monotonic()
    end, _, _ = run("sh", "-c", script, time_limit=0.5, cwd=tmp_path)
    assert end.code == 124
    assert time.monotonic() - started < 10
    assert gone(int((tmp_path / "child").read_text()))


def test_a_grandchild_that_holds_the_pipe_open_does_not_delay_the_end(tmp_path: Path) -> None:
    started = time.monotonic()
    end, out, _ = run("sh", "-c", "echo done; setsid sleep 30 & echo $! > child", cwd=tmp_path)
    assert (end.code, out) == (0, b"done\n")
    assert time.monotonic() - started < 15
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_cancelling_ends_the_command(tmp_path: Path) -> None:
    async def ignore(stream: str, chunk: bytes) -> None:
        assert stream, chunk

    async def main() -> None:
        async with anyio.create_task_group() as tasks:

            async def command() -> None:
                await run_command(
                    ["sh", "-c", "echo $$ > pid; sleep 60"],
                    cwd=tmp_path,
                    environment=dict(os.environ),
                    time_limit=60,
                    on_output=ignore,
                )

            tasks.start_soon(command)
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("argv", "cwd", "code", "message"),
    [
        (["no-such-program"], "/", 127, "no-such-program: command not found"),
        (["/etc/passwd"], "/", 126, "cannot be run: Permission denied"),
        ([], "/", 127, "empty"),
        (["a\0b"], "/", 126, "cannot be run"),
        (["\udcff\ud800"], "/", 126, "cannot be run"),
        (["ls"], "/no/such/place", 126, "/no/such/place does not exist"),
        (["ls"], "/" + "n" * 5000, 126, "File name too long"),
        (["ls"], "/a\0b", 126, "does not exist"),
    ],
)
def test_a_command_that_cannot_start_reports_why(argv: list[str], cwd: str, code: int, message: str) -> None:
    with pytest.raises(SpawnError, match=message) as caught:
        run(*argv, cwd=Path(cwd))
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("name", "code", "reason"), [("n" * 300 + "/x", 126, "File name too long"), ("./no", 127, "not found")]
)
def test_an_inaccessible_program_reports_why(name: str, code: int, reason: str) -> None:
    with pytest.raises(SpawnError, match=reason) as caught:
        require_program(name, Path("/"), {})
    assert caught.value.exit_code == code


def test_a_slow_reader_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code_core.process.spawn.DRAIN_SECONDS", 0.05)
    taken = bytearray()

    async def slow(_: str, chunk: bytes) -> None:
        await anyio.sleep(0.03)
        taken.extend(chunk)

    async def main() -> None:
        await run_command(
            ["head", "-c", "60000", "/dev/zero"], cwd=Path("/"), environment={}, time_limit=20, on_output=slow
        )

    anyio.run(main)
    assert len(taken) == 60_000


def test_a_background_process_that_keeps_printing_is_not_awaited() -> None:
    end, out, _ = run("sh", "-c", "yes & echo $!; exec true")
    pid = int(out.replace(b"y\n", b"").split()[0])
    os.kill(pid, signal.SIGKILL)
    assert end.code == 0
    assert end.seconds < 10


def test_no_descriptor_is_left_open() -> None:
    run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run("sh", "-c", "echo x")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
