"""Questions that nobody waits for any more, in the chat."""

import json
import sys
from pathlib import Path

import pytest

from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario
from tui.terminal import Terminal

TESTS = str(Path(__file__).parent.parent)


@pytest.mark.parametrize(("how", "outcome"), [("cancel", "never mind"), ("end", "exited with status 0")])
def test_a_server_takes_its_question_back_while_its_fields_are_asked(
    workspace: Workspace, tmp_path: Path, how: str, outcome: str
) -> None:
    go = tmp_path / "go"
    scenario = write_scenario(
        workspace.home,
        [
            [sse.function_call("forms__ask", {}, "c1"), sse.completed()],
            [sse.message("Done."), sse.completed()],
        ],
    )
    workspace.environment["CODE_REPLAY"] = str(scenario)
    arguments = json.dumps(["-S", "-m", "mcp_client.servers.withdraws", how, str(go)])
    (workspace.home / "config.toml").write_text(
        f'[mcp_servers.forms]\ncommand = "{sys.executable}"\nargs = {arguments}\n'
        f'env = {{ PYTHONPATH = "{TESTS}", PYTHONDONTWRITEBYTECODE = "1" }}\n'
    )
    chat = Terminal(workspace, "go")
    chat.until("(y yes, n no): ")
    chat.type("y\n")
    chat.until("field first\r\n? value or nothing: ")
    chat.type("Ada\n")
    chat.until("field second\r\n? value or nothing: ")
    chat.type("half typed")
    chat.until("half typed")
    go.touch()
    chat.until("(discarded with the question: half typed)")
    chat.until("(the MCP server forms has withdrawn its question)")
    chat.until(outcome)
    chat.until("Done.")
    chat.until("> ")
    chat.close()
