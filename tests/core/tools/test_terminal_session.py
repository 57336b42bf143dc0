"""One command that may outlive its call: what it prints, and what is typed."""

import math
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from code_core.process.spawn import SpawnError
from code_core.tools import terminal_session as module
from code_core.tools.terminal_session import TerminalSession, bounded
from core.tools.terminal_sessions import run, script, session, until


def open_files() -> set[Path]:
    """The files that this process has open, where the system tells."""
    found = set()
    for link in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # the one of this directory
            found.add(link.readlink())
    return found


@pytest.mark.parametrize("tty", [True, False])
def test_a_command_ends_with_its_exit_code_and_complete_output(tmp_path: Path, tty: bool) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.end is not None
        assert one.end.code == 3
        assert 0.2 <= one.end.seconds < 60
        assert not one.stopped
        text, dropped = one.take()
        assert text.replace("\r", "").replace("^D\b\b", "") == "out\nproblem\n"
        assert dropped == 0
        assert one.take() == ("", 0)
        assert one.whole.text() == text
        assert await one.write(b"x") == 0

    make = script("echo out; echo problem >&2; sleep 0.2; exit 3", tmp_path, tty=tty)
    run(make, body)  # starts the guardian, too
    before = sorted(Path("/dev/fd").iterdir())
    run(make, body)
    assert sorted(Path("/dev/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("argv", "cwd"), [(("no-such-program",), None), (("true",), Path("/no/such/directory"))]
)
@pytest.mark.parametrize("tty", [True, False])
def test_a_command_that_cannot_start_is_an_error_and_an_end(
    tmp_path: Path, argv: tuple[str, ...], cwd: Path | None, tty: bool
) -> None:
    async def main() -> TerminalSession:
        one = session(tmp_path, *argv, cwd=cwd, tty=tty)()
        async with anyio.create_task_group() as tasks:
            with pytest.raises(SpawnError):
                await tasks.start(one.run)
        return one

    before = sorted(Path("/dev/fd").iterdir())
    one = anyio.run(main)
    assert one.finished.is_set()
    assert one.end is not None
    assert one.end.code == 143
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_the_complete_output_is_on_disk_after_the_end(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert (tmp_path / "whole").read_text() == "".join(f"{number}\n" for number in range(1, 1001))
        assert tmp_path / "whole" not in open_files()

    run(script("seq 1000", tmp_path, limit=100), body)


def test_old_unread_output_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING", 10)

    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.take() == ("890123456\n", 8)
        assert one.whole.text() == "123456789\n0123456\n" or one.whole.total == 18

    run(script("printf '12345678'; printf '890123456\\n'", tmp_path), body)


def test_a_command_has_its_environment(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.take() == (f"{tmp_path}\n", 0)

    run(script("echo $HOME", tmp_path), body)


def test_remaining_output_is_read_after_the_end(tmp_path: Path) -> None:
    async def slowly(_chunk: bytes) -> None:
        await anyio.sleep(0.2)

    async def body(one: TerminalSession) -> None:
        one.on_chunk = slowly
        (tmp_path / "go").touch()
        await one.wait(10)
        assert one.whole.total == 100_000

    run(script("until [ -e go ]; do sleep 0.01; done; head -c 100000 /dev/zero", tmp_path), body)


def test_a_flood_lets_other_tasks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SIZE", 1)  # slower than the command, so that there is always more

    async def body(one: TerminalSession) -> None:
        await anyio.sleep(0.2)
        assert one.whole.total > 0
        assert one.end is None

    run(session(tmp_path, "yes"), body)


def test_an_incomplete_character_is_held_back(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        assert await until(one, "a") == "a"
        (tmp_path / "go").touch()
        assert await until(one, "é") == "é"
        (tmp_path / "end").touch()
        await one.wait(10)
        assert one.take() == ("\ufffd", 0)  # what is left at the end is half of one

    until_there = "until [ -e {} ]; do sleep 0.01; done"
    steps = [r"printf 'a\303'", until_there.format("go"), r"printf '\251\303'", until_there.format("end")]
    run(script("; ".join(steps), tmp_path), body)


def test_chunks_are_passed_on_while_a_call_waits(tmp_path: Path) -> None:
    chunks: list[bytes] = []

    async def on_chunk(chunk: bytes) -> None:
        chunks.append(chunk)

    async def body(one: TerminalSession) -> None:
        one.on_chunk = on_chunk
        assert await one.write(b"one\n") == 4
        await until(one, "got one")
        one.on_chunk = None
        assert await one.write(b"two\n") == 4
        await until(one, "got two")

    run(script("stty -echo; echo ready; while read x; do echo got $x; done", tmp_path, tty=True), body)
    assert b"got one" in b"".join(chunks)
    assert b"got two" not in b"".join(chunks)


def test_an_exception_in_the_callback_is_not_lost(tmp_path: Path) -> None:
    async def fail(_chunk: bytes) -> None:
        raise RuntimeError("nobody listens")

    async def body(one: TerminalSession) -> None:
        one.on_chunk = fail
        (tmp_path / "go").touch()
        await one.finished.wait()
        assert one.stopped

    with pytest.raises(BaseExceptionGroup) as caught:
        run(script("until [ -e go ]; do sleep 0.01; done; echo x; exec sleep 60", tmp_path), body)
    assert caught.value.subgroup(RuntimeError) is not None


def test_without_a_terminal_there_is_no_input(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await one.wait(10)
        assert one.take() == ("end of input\n", 0)

    async def writing(one: TerminalSession) -> None:
        assert await one.write(b"x") == 0

    run(script("read x || echo end of input", tmp_path), body)
    run(script("exec sleep 60", tmp_path), writing)


def test_a_program_that_does_not_read_accepts_only_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_WRITE", 0.3)

    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        began = anyio.current_time()
        taken = await one.write(b"x" * 1_000_000)
        assert 0 < taken < 1_000_000
        assert 0.25 < anyio.current_time() - began < 5

    run(script("stty raw -echo; echo ready; exec sleep 60", tmp_path, tty=True), body)


def test_a_slow_reader_gets_all_input(tmp_path: Path) -> None:
    async def body(one: TerminalSession) -> None:
        await until(one, "ready")
        assert await one.write(b"x" * 50_000) == 50_000
        await until(one, "50000")

    run(script("stty raw -echo; echo ready; head -c 50000 | wc -c", tmp_path, tty=True), body)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 0.5), (math.nan, 0.5), (700.0, 0.7), (1.0, 0.1), (10**9, 2.0), (-math.inf, 0.1)],
)
def test_waits_chosen_by_a_model_are_limited(value: float | None, seconds: float) -> None:
    assert bounded(value, 500, 100, 2_000) == seconds
