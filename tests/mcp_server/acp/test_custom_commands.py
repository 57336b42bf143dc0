"""The user's prompts are commands of the editor."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from mcp_server.acp.test_client_servers import scripted_server
from support import responses_events as sse
from support.acp_client import AcpClient, RequestFailed, prompt_params
from support.command import Workspace
from support.upstream import ScriptedUpstream, stream


def listed(client: AcpClient) -> dict[str, dict[str, Any]]:
    (*_, last) = client.of_kind("available_commands_update")
    return {command["name"]: command for command in last["availableCommands"]}


def prompts_folder(workspace: Workspace) -> Path:
    folder = workspace.home / "prompts"
    folder.mkdir()
    return folder


def test_a_prompt_of_the_user_goes_to_the_model_with_its_arguments(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.message("Yes."), sse.completed()))
    (prompts_folder(workspace) / "fix.md").write_text(
        "---\ndescription: Fix one\nargument-hint: NUMBER\n---\nFix issue $1."
    )
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.until(lambda: bool(client.of_kind("available_commands_update")))
        fix = {"name": "prompts:fix", "description": "Fix one", "input": {"hint": "NUMBER"}}
        assert listed(client)["prompts:fix"] == fix
        assert client.prompt(session, "/prompts:fix 12") == "end_turn"
        asked = str(upstream.requests[-1].json)
        assert "Fix issue 12." in asked
        assert "/prompts:fix" not in asked


def test_a_prompt_cannot_replace_a_built_in_command(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.message("Yes."), sse.completed()))
    (prompts_folder(workspace) / "status.md").write_text("/compact")
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.until(lambda: bool(client.of_kind("available_commands_update")))
        assert listed(client)["status"]["description"] == "Show the session and its settings."
        assert client.prompt(session, "/prompts:status") == "end_turn"
        assert client.text() == "Yes."
        assert "/compact" in str(upstream.requests[-1].json)


def test_a_new_prompt_is_listed_with_the_next_prompt(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("One."), sse.completed()], [sse.message("Two."), sse.completed()])
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.until(lambda: bool(client.of_kind("available_commands_update")))
        client.prompt(session)
        assert len(client.of_kind("available_commands_update")) == 1
        (prompts_folder(workspace) / "fix.md").write_text("Fix it.")
        client.prompt(session)
        client.until(lambda: len(client.of_kind("available_commands_update")) == 2)
        assert "prompts:fix" in listed(client)


def test_a_prompt_that_cannot_be_read_is_a_notice(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("One."), sse.completed()])
    (prompts_folder(workspace) / "out.md").symlink_to("/etc/hostname")
    with AcpClient(workspace, capabilities={"session": {"notices": {}}}) as client:
        session = client.new_session()
        client.until(lambda: bool(client.of_kind("available_commands_update")))
        client.prompt(session)
        assert any("out.md" in str(notice) for notice in client.of_kind("notice"))


def offering(client: AcpClient) -> str:
    """A session with the MCP server `notes`, whose prompts are listed."""
    session = client.new_session(
        mcpServers=[scripted_server("mcp_client.servers.offers") | {"name": "notes"}]
    )
    client.until(
        lambda: bool(client.of_kind("available_commands_update")) and "mcp:notes:greet" in listed(client)
    )
    return session


def test_prompts_of_mcp_servers_are_commands(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.message("Yes."), sse.completed()))
    with AcpClient(workspace) as client:
        session = offering(client)
        greet = {"name": "mcp:notes:greet", "description": "Greet somebody", "input": {"hint": "who [how]"}}
        assert listed(client)["mcp:notes:greet"] == greet
        assert "mcp:notes:two_words_" in listed(client)
        assert client.prompt(session, "/mcp:notes:greet Ada 'very warmly'") == "end_turn"
        asked = upstream.requests[-1].body.decode()
        assert json.dumps(json.dumps({"how": "very warmly", "who": "Ada"}))[1:-1] in asked
        assert "data:image/png;base64," in asked
        assert "/mcp:notes" not in asked


def test_a_prompt_of_an_mcp_server_that_fails_is_an_error_and_starts_no_turn(
    workspace: Workspace, replay: Replay
) -> None:
    replay([sse.message("One."), sse.completed()])
    with AcpClient(workspace) as client:
        session = offering(client)
        with pytest.raises(RequestFailed, match=r"needs who: type who \[how\] after the command"):
            client.call("session/prompt", prompt_params(session, "/mcp:notes:greet"))
        assert client.prompt(session, "hello") == "end_turn"
