import os
import signal
from pathlib import Path

import pytest

from support.command import Workspace
from tui.terminal import Terminal

THEIRS = 'approval_policy = "never"\n'
PROMPT = "remembered): "


@pytest.fixture
def theirs(workspace: Workspace) -> Path:
    (workspace.directory / ".code").mkdir()
    file = workspace.directory / ".code/config.toml"
    file.write_text(THEIRS)
    workspace.configure("http://127.0.0.1:1")
    return file


@pytest.mark.parametrize(("answer", "policy"), [("y", "never"), ("no", "on-request")])
def test_the_question_is_asked_only_once(
    workspace: Workspace, theirs: Path, answer: str, policy: str
) -> None:
    first = Terminal(workspace)
    first.until(PROMPT)
    assert "Use these settings of the project?" in first.screen
    assert '  │ approval_policy = "never"' in first.screen
    assert str(theirs) in first.screen.replace("\r\n? … ", "")
    first.type(f"{answer}\r")
    first.until(f"model gpt-5-codex, {policy}")
    first.close()
    second = Terminal(workspace)
    second.until(f"model gpt-5-codex, {policy}")
    assert PROMPT not in second.screen
    second.close()


def test_other_words_and_earlier_input_are_not_answers(workspace: Workspace, theirs: Path) -> None:
    terminal = Terminal(workspace)
    terminal.type("y\r")
    terminal.until(PROMPT)
    for typed in ["yes please\r", "y\rand more"]:
        terminal.type(typed)
        terminal.until_again(PROMPT)
    terminal.type("n\r")
    terminal.until("on-request")
    theirs.write_text(THEIRS + "# changed\n")
    terminal.close()


def test_the_question_is_shown_again_on_a_narrower_screen_and_after_ctrl_z(
    workspace: Workspace, theirs: Path
) -> None:
    terminal = Terminal(workspace, columns=100)
    terminal.until(PROMPT)
    terminal.resize(60)
    terminal.until_again(PROMPT)
    assert "Use these settings of the project?" in terminal.screen
    os.kill(terminal.pid, signal.SIGSTOP)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until_again(PROMPT)
    assert '│ approval_policy = "never"' in terminal.screen
    terminal.type("n\r")
    terminal.until("on-request")
    terminal.close()


def test_the_end_of_the_input_decides_nothing(workspace: Workspace, theirs: Path) -> None:
    terminal = Terminal(workspace)
    terminal.until(PROMPT)
    terminal.type("\x04")
    assert terminal.wait() == 0
    assert "trust" not in (workspace.home / "config.toml").read_text()


def test_a_pipe_gets_a_notice_and_no_question(workspace: Workspace, theirs: Path) -> None:
    done = workspace.run("chat", stdin="/status\n/quit\n")
    assert f"the project's settings in {theirs} are not used until you trust them" in done.stdout
    assert "model gpt-5-codex, on-request" in done.stdout
