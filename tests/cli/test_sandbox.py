import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from code_core.sandbox.detection import detect, find
from support.command import CODE, Workspace
from support.running import naps
from tui.terminal import Terminal

confined = pytest.mark.skipif(detect().sandbox is None, reason=f"no sandbox here: {detect()}")


NO_NAMESPACES = ("unshare", "--user", "--map-root-user", "sh", "-c",
                 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh")  # fmt: skip


def run(
    home: Path, *arguments: str, cwd: Path | None = None, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CODE_HOME": str(home), "SOME_TOKEN": "secret", "TERM": "dumb"}
    return subprocess.run(
        [*before, CODE, "sandbox", *arguments],
        env=environment,
        cwd=cwd or home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        input="typed\n",
    )


def test_without_a_command_it_reports_the_mechanisms(tmp_path: Path) -> None:
    assert run(tmp_path).stdout == f"{detect()}\n"


@confined
def test_a_command_runs_confined_with_its_own_input(tmp_path: Path) -> None:
    done = run(tmp_path, "--", "sh", "-c", "cat; echo ${SOME_TOKEN-none}; touch x; exit 3")
    assert (done.returncode, done.stdout) == (3, "typed\nnone\n")
    assert "touch" in done.stderr
    assert not (tmp_path / "x").exists()


@confined
@pytest.mark.parametrize("mechanism", ["bwrap", "landlock"])
def test_the_working_directory_is_writable_under_workspace_write(tmp_path: Path, mechanism: str) -> None:
    found = find("bwrap" if mechanism == "bwrap" else "landlock")
    if found.sandbox is None:
        pytest.skip(found.detail)
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    narrow = ["-c", "sandbox_workspace_write.exclude_slash_tmp=true"]
    done = run(
        home,
        "--mechanism",
        mechanism,
        "-s",
        "workspace-write",
        *narrow,
        "-C",
        str(work),
        "sh",
        "-c",
        "touch in ../out",
    )
    assert done.returncode == 1
    assert (work / "in").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-c", 'sandbox_mode="danger-full-access"', "ls"], 2, "choose a mode"),
        (["--mechanism", "seatbelt", "ls"], 1, "not run"),
        (["no-such-program"], 127, "no-such-program: command not found"),
        (["-C", "/no/such/place", "ls"], 2, "not a directory"),
    ],
)
def test_an_impossible_request_is_reported(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    if detect().sandbox is None and code == 127:
        pytest.skip("no sandbox here")
    if sys.platform == "darwin" and "seatbelt" in arguments:
        pytest.skip("it is there")
    done = run(tmp_path, *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_a_machine_without_user_namespaces_uses_landlock_or_runs_nothing_and_says_why(tmp_path: Path) -> None:
    try:
        subprocess.run([*NO_NAMESPACES, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"namespaces cannot be turned off here: {error}")
    report = run(tmp_path, before=NO_NAMESPACES).stdout
    assert report.startswith(("bwrap: does not work here: ", "bwrap: not installed"))
    done = run(tmp_path, "--", "sh", "-c", "echo $CODEX_SANDBOX; touch x", before=NO_NAMESPACES)
    assert not (tmp_path / "x").exists()
    if find("landlock").sandbox is None:
        assert (done.returncode, "not run" in done.stderr) == (1, True)
    else:
        assert "\nlandlock: in use" in report
        assert done.stdout == "landlock\n"


@confined
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_and_the_directory_as_they_were(
    workspace: Workspace, signum: signal.Signals
) -> None:
    before = sorted(workspace.directory.iterdir())
    script = "stty -echo -icanon; echo ready; exec sleep 300"
    terminal = Terminal(workspace, "sandbox", "-s", "workspace-write", "--", "sh", "-c", script)
    terminal.until("ready")
    os.kill(terminal.pid, signum)
    os.waitid(os.P_PID, terminal.pid, os.WEXITED | os.WNOWAIT)
    flags = termios.tcgetattr(terminal.fd)[3]
    assert flags & termios.ECHO
    assert flags & termios.ICANON
    assert terminal.wait() == 128 + signum
    assert sorted(workspace.directory.iterdir()) == before
    assert naps(workspace.directory) == []
