import os
import pty
import select
import subprocess
import time

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario

RUN = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
SLEEP = [sse.function_call("shell", {"command": ["sleep", "60"]}, "c1"), sse.completed()]
BYE = [sse.message("Bye now."), sse.completed()]


@pytest.fixture(autouse=True)
def scenario(workspace: Workspace) -> None:
    write(workspace, RUN, BYE)


def write(workspace: Workspace, *responses: list[dict[str, object]]) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


def test_a_question_is_answered_from_the_input(workspace: Workspace) -> None:
    done = workspace.run(stdin="go\nwhat?\ny\n/quit\nnever read\n")
    assert done.returncode == 0, done.stderr
    assert "may this run? touch made" in done.stdout
    assert done.stdout.count("y yes, a yes for this session") == 2
    assert "Bye now." in done.stdout
    assert (workspace.directory / "made").exists()


def test_the_end_of_the_input_is_a_no(workspace: Workspace) -> None:
    done = workspace.run("go", stdin="")
    assert done.returncode == 0, done.stderr
    assert not (workspace.directory / "made").exists()


def test_the_input_may_be_a_file(workspace: Workspace) -> None:
    script = workspace.home / "input"
    script.write_text("go\nn\n")
    with script.open() as file:
        done = subprocess.run(
            [CODE],
            stdin=file,
            cwd=workspace.directory,
            env=workspace.environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert b"Bye now." in done.stdout
    assert not (workspace.directory / "made").exists()


class Terminal:
    """`code` in a pseudo-terminal."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(workspace.directory)
            os.execve(CODE, [CODE, *arguments], {**workspace.environment, "TERM": "xterm"})  # noqa: S606
        self.screen = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.screen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come: {self.screen!r}"
            self.screen += os.read(self.fd, 65536).decode()

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_ctrl_c_interrupts_the_turn_and_then_ends_the_program(workspace: Workspace) -> None:
    write(workspace, SLEEP)
    terminal = Terminal(workspace, "chat", "--dangerously-bypass-approvals-and-sandbox", "go")
    terminal.until("$ sleep 60")
    terminal.type("\x03")
    terminal.until("turn interrupted")
    terminal.until("\r\n> ")
    terminal.type("\x03")
    assert terminal.wait() == 0


def test_ctrl_d_ends_the_program(workspace: Workspace) -> None:
    terminal = Terminal(workspace)
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.wait() == 0
