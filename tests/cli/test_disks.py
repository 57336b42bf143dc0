"""Homes on disks that are full or read-only: clear errors, and nothing recorded is lost."""

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

HUNG = Path(__file__).parent / "hung_engine.py"
FULL = "--dangerously-bypass-approvals-and-sandbox"


def runs(script: str, number: int) -> Any:
    call = sse.function_call("shell", {"command": ["bash", "-c", script]}, f"c{number}")
    return stream(sse.created(), call, sse.completed())


def reply(text: str) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed())


class Disk:
    """A small separate file system for the home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def mount(self, options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.home], check=True, capture_output=True
        )

    def change(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.home], check=True, capture_output=True)


@pytest.fixture
def disk(workspace: Workspace, upstream: ScriptedUpstream) -> Iterator[Disk]:
    disk = Disk(workspace.home)
    try:
        disk.mount("size=300k")
    except (subprocess.CalledProcessError, OSError):
        pytest.skip("cannot mount a small disk: needs root and mount")
    workspace.configure(upstream.base_url)
    yield disk
    subprocess.run(["umount", "--lazy", disk.home], check=True)


def one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(("error:", "code:"))]
    for word in words:
        assert word in line
    assert "Traceback" not in done.stderr
    assert "Logged" not in done.stderr


def test_a_disk_that_fills_up_stops_the_turn_and_loses_nothing(
    workspace: Workspace, upstream: ScriptedUpstream, disk: Disk
) -> None:
    upstream.add(*(runs(f"seq {number} {number + 1900}", number) for number in range(60)), reply("never"))
    one_line(workspace.run("exec", FULL, "go"), "cannot write the session", "No space left", "free space")
    last = upstream.requests[-1].json["input"]
    assert 5 < len(last) < 100
    (path,) = disk.home.glob("sessions/*/*/*/*.jsonl")
    session = path.stem[-36:]
    one_line(workspace.run("exec", FULL, "again"), "No space left")
    one_line(workspace.run("exec", FULL, "resume", session, "go on"), "No space left")
    listed = workspace.run("sessions", "list")
    assert (listed.returncode, session in listed.stdout) == (0, True)

    disk.change("size=2m")
    upstream._replies = [reply("went on")]
    done = workspace.run("exec", FULL, "resume", session, "go on")
    assert (done.returncode, done.stdout) == (0, "went on\n")
    upstream.assert_finished()
    resumed = upstream.requests[-1].json["input"]
    assert resumed[: len(last)] == last


@pytest.mark.parametrize("what", ["new", "list", "resume", "fork", "change"])
def test_a_read_only_home(workspace: Workspace, upstream: ScriptedUpstream, disk: Disk, what: str) -> None:
    upstream.add(runs("echo a > made", 1), reply("one"))
    assert workspace.run("exec", FULL, "go").returncode == 0
    (path,) = disk.home.glob("sessions/*/*/*/*.jsonl")
    session = path.stem[-36:]
    disk.change("ro")
    match what:
        case "new":
            one_line(workspace.run("exec", "go"), "Read-only file system", "--ephemeral")
            one_line(workspace.run(stdin="hi\n"), "Read-only file system", "--ephemeral")
            upstream.add(reply("not recorded"))
            assert workspace.run("exec", "--ephemeral", "go").stdout == "not recorded\n"
        case "list":
            listed = workspace.run("sessions", "list")
            assert (listed.returncode, session in listed.stdout) == (0, True)
            assert listed.stderr.startswith("note: cannot use the index of sessions")
            shown = workspace.run("sessions", "show", session)
            assert (shown.returncode, "[assistant]\none" in shown.stdout, shown.stderr) == (0, True, "")
        case "resume":
            one_line(workspace.run("exec", "resume", session, "go on"), "code fork --ephemeral " + session)
            one_line(workspace.run("resume", "--last", stdin="hi\n"), "code fork --ephemeral " + session)
        case "fork":
            one_line(workspace.run("fork", session, stdin="hi\n"), "cannot write the fork")
            upstream.add(reply("a copy"))
            forked = workspace.run("fork", "--ephemeral", session, "and now?", stdin="/quit\n")
            assert (forked.returncode, "a copy" in forked.stdout) == (0, True)
            assert "echo a > made" in str(upstream.requests[-1].json["input"])
        case _:
            for command in (("archive",), ("delete", "--yes"), ("rename",)):
                more = ("name",) if command == ("rename",) else ()
                one_line(workspace.run("sessions", *command, session, *more), "Read-only file system")
            one_line(workspace.run("undo"), "Read-only file system")
    assert path.read_bytes().count(b"\n") > 5


def test_a_cache_that_cannot_be_written_does_no_harm(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    for name in ("sessions-1.sqlite", "history.jsonl"):
        (workspace.home / name).mkdir()
    for name in ("checkpoints", "outputs"):
        (workspace.home / name).write_text("not a directory")
    upstream.add(runs("seq 100000", 1), reply("one"), reply("two"), reply("three"))
    done = workspace.run("exec", FULL, "go")
    assert (done.returncode, done.stdout) == (0, "one\n")
    assert "this turn cannot be undone" in done.stderr
    assert workspace.run("exec", "resume", "--last", "on").stdout == "two\n"
    chat = workspace.run("chat", stdin="hi\n")
    assert chat.returncode == 0
    assert "three" in chat.stdout
    assert f"cannot write {workspace.home}/history.jsonl" in chat.stdout
    listed = workspace.run("sessions", "list")
    assert (listed.returncode, listed.stdout.count("\n")) == (0, 2)


def test_a_limit_on_file_sizes_stops_the_turn(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(*(runs(f"seq {number} {number + 1900}", number) for number in range(60)), reply("never"))
    limited = ["bash", "-c", 'ulimit -f 100; exec "$@"', "limited"]
    one_line(workspace.run("exec", FULL, "go", prefix=limited), "cannot write the session", "File too large")
    last = upstream.requests[-1].json["input"]
    upstream._replies = [reply("went on")]
    assert workspace.run("exec", FULL, "resume", "--last", "go on").stdout == "went on\n"
    assert upstream.requests[-1].json["input"][: len(last)] == last
    upstream.assert_finished()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("line", [2, 6])
def test_a_disk_that_hangs_ends_the_run_in_time(
    workspace: Workspace, upstream: ScriptedUpstream, line: int
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(runs("echo a > made", 1), reply("never"))
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(HUNG), str(line), "exec", FULL, "go"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    one_line(done, "could not be recorded within", "check the disk")
    assert 5 < time.monotonic() - started < 40  # 10 s for the first write, and little for the others
    upstream._replies = [reply("went on")]
    resumed = workspace.run("exec", FULL, "resume", "--last", "go on")
    if line > 2:
        assert (resumed.returncode, resumed.stdout) == (0, "went on\n")
        assert [item for item in upstream.requests[-1].json["input"] if "echo a" in str(item)] == []
    else:
        one_line(resumed, "no sessions yet")


@pytest.mark.parametrize(
    ("options", "problem"), [("size=4k", "No space left on device"), ("ro", "Read-only file system")]
)
def test_doctor_reports_a_disk_that_cannot_be_written(
    workspace: Workspace, disk: Disk, options: str, problem: str
) -> None:
    (disk.home / "config.toml").unlink()
    disk.change(options)
    done = workspace.run("doctor")
    assert done.returncode == 1
    assert f"broken   disk           home {disk.home} cannot be written: {problem}, 0 MiB free" in done.stdout
