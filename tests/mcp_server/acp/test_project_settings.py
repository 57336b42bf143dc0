"""A project's undecided settings do not apply, and the editor's user learns about it."""

import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import AcpClient
from support.command import Workspace


@pytest.mark.parametrize(
    ("capabilities", "kind"), [({"session": {"notices": {}}}, "notice"), ({}, "agent_thought_chunk")]
)
def test_undecided_settings_are_a_warning_with_the_first_prompt(
    workspace: Workspace, replay: Replay, capabilities: dict[str, object], kind: str
) -> None:
    replay([sse.message("Hello"), sse.completed()])
    file = workspace.directory / ".code" / "config.toml"
    file.parent.mkdir()
    file.write_text('model = "model-of-the-project"\n')
    with AcpClient(workspace, capabilities=capabilities) as client:
        session = client.new_session()
        assert "model-of-the-project" not in str(client.frames)
        assert client.prompt(session) == "end_turn"
        (warning,) = [one for one in client.of_kind(kind) if ".code/config.toml" in str(one)]
        assert "code config trust" in str(warning)
