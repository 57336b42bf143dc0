"""Prompts of MCP servers: `/mcp:SERVER:NAME` for `code exec` and in the chat."""

import json
import sys
from pathlib import Path

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace
from tui.terminal import Terminal

TESTS = str(Path(__file__).parents[1])
GREETED = 'Greet: {"who": "Ada L."}'


@pytest.fixture
def notes(workspace: Workspace, upstream: ScriptedUpstream) -> Workspace:
    """A workspace with the server `notes`, which offers prompts."""
    workspace.configure(upstream.base_url)
    with (workspace.home / "config.toml").open("a") as settings:
        settings.write(
            f"[mcp_servers.notes]\ncommand = {json.dumps(sys.executable)}\n"
            'args = ["-S", "-m", "mcp_client.servers.offers"]\n'
            f"env = {{ PYTHONPATH = {json.dumps(TESTS)}, PYTHONDONTWRITEBYTECODE = '1' }}\n"
        )
    upstream.add(stream(sse.message("Hello."), sse.completed()))
    return workspace


def sent(upstream: ScriptedUpstream) -> str:
    """What the user sent with the last turn."""
    [request] = upstream.requests
    users = [one for one in request.json["input"] if one.get("role") == "user"]
    return json.dumps(users[-1])


@pytest.mark.parametrize("typed", ["/mcp:notes:greet Ada L.", "  /mcp:notes:greet who='Ada L.'\n"])
def test_exec_sends_the_prompt_that_a_server_returns(
    notes: Workspace, upstream: ScriptedUpstream, typed: str
) -> None:
    done = notes.run("exec", typed)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done.stderr
    request = sent(upstream)
    assert (
        json.dumps('Greet: {"how": "L.", "who": "Ada"}')[1:-1] in request
        or json.dumps(GREETED)[1:-1] in request
    )
    assert "data:image/png" in request
    assert "/mcp:" not in request


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("/mcp:notes:gret Ada", "no MCP server offers /mcp:notes:gret: did you mean /mcp:notes:greet?"),
        ("/mcp:nobody:x", "no MCP server offers /mcp:nobody:x: the prompts are: mcp:notes:greet"),
        ("/mcp:notes:greet", "the prompt 'greet' of the MCP server 'notes' needs who: type who [how] after"),
    ],
)
def test_exec_reports_a_mistake_without_asking_the_model(
    notes: Workspace, upstream: ScriptedUpstream, typed: str, problem: str
) -> None:
    done = notes.run("exec", typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"code: {problem}" in done.stderr.splitlines()[-1]
    assert upstream.requests == []


def test_exec_reports_that_there_are_no_servers(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    done = workspace.run("exec", "/mcp:notes:greet Ada")
    assert (done.returncode, done.stdout) == (2, "")
    assert "code: no MCP server offers /mcp:notes:greet: the prompts are: none" in done.stderr


@pytest.mark.parametrize(
    "typed", ["/mcp is a command", "/mcp:", "see /mcp:notes:greet", "/usr/bin is a folder"]
)
def test_text_that_only_resembles_a_command_goes_to_the_model(
    notes: Workspace, upstream: ScriptedUpstream, typed: str
) -> None:
    assert notes.run("exec", typed).returncode == 0
    assert typed in sent(upstream)


def test_the_chat_lists_and_sends_server_prompts(notes: Workspace, upstream: ScriptedUpstream) -> None:
    terminal = Terminal(notes, columns=200)
    terminal.until("\n> ")
    terminal.type("/prompts\r")
    terminal.until("/mcp:notes:greet who [how]  Greet somebody")
    terminal.type("/mcp:notes:gret\r")
    terminal.until("did you mean /mcp:notes:greet?")
    terminal.type("/mcp:notes:greet\r")
    terminal.until("needs who")
    terminal.type("/mcp:notes:greet who='Ada L.'\r")
    terminal.until("Hello.")
    terminal.until("\n> ")
    terminal.close()
    assert json.dumps(GREETED)[1:-1] in sent(upstream)
    assert "/mcp:notes:greet" in (notes.home / "history.jsonl").read_text()
