"""What is typed before a command asks does not answer its question."""

import json

import pytest

from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario
from tui.terminal import Terminal

DISCARDED = "(discarded, because it was typed before the question)"


@pytest.fixture
def session(workspace: Workspace) -> str:
    scenario = write_scenario(workspace.home, [[sse.message("bye"), sse.completed()]])
    workspace.environment["CODE_REPLAY"] = str(scenario)
    assert workspace.run("exec", "go").returncode == 0
    [listed] = json.loads(workspace.run("sessions", "list", "--json").stdout)["sessions"]
    name: str = listed["id"]
    return name


@pytest.mark.parametrize("typed", ["y\n", "y\ny\n", "y"])
def test_input_typed_ahead_does_not_delete_a_session(workspace: Workspace, session: str, typed: str) -> None:
    terminal = Terminal(workspace, "sessions", "delete", session)
    terminal.type(typed)
    terminal.until("[y/N]: ")
    assert (DISCARDED in terminal.screen) == ("\n" in typed)
    terminal.type("\n")
    assert terminal.wait() == 1
    assert session in workspace.run("sessions", "list", "--json").stdout
    terminal = Terminal(workspace, "sessions", "delete", session)
    terminal.until("[y/N]: ")
    terminal.type("y\n")
    assert terminal.wait() == 0
    assert session not in workspace.run("sessions", "list", "--json").stdout


def test_input_typed_ahead_does_not_trust_a_project(workspace: Workspace) -> None:
    (workspace.home / "config.toml").write_text('model = "mine"\n')
    (workspace.directory / ".code").mkdir()
    (workspace.directory / ".code/config.toml").write_text('model = "theirs"\n')
    terminal = Terminal(workspace, "config", "trust")
    terminal.type("y\n")
    terminal.until("(y yes, n no): ")
    assert DISCARDED in terminal.screen
    terminal.type("n\n")
    terminal.until("nothing changed")
    assert terminal.wait() == 0
    assert workspace.run("config", "get", "model").stdout == "mine\n"


def test_input_typed_ahead_does_not_choose_a_session(workspace: Workspace, session: str) -> None:
    terminal = Terminal(workspace, "resume")
    terminal.type("\n1\n")
    terminal.until("q to leave]: ")
    assert DISCARDED in terminal.screen
    terminal.type("q\n")
    assert terminal.wait() == 1


def test_input_typed_ahead_is_not_saved_as_a_key(workspace: Workspace) -> None:
    workspace.configure("http://127.0.0.1:9")
    terminal = Terminal(workspace, "login", columns=100)
    terminal.type("ls\n")
    terminal.until("(it is not shown): ")
    terminal.type("sk-typed-after\n")
    terminal.until("saved the API key")
    assert terminal.wait() == 0
    [saved] = (workspace.home / "keys").iterdir()
    assert saved.read_text() == "sk-typed-after"
