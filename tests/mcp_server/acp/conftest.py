from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code_core.config.load import ConfigOverrides, load_config
from code_mcp_server.acp import sessions
from code_mcp_server.acp.session_params import SessionParams
from code_mcp_server.acp.workspace import Workspace as AcpWorkspace
from mcp_server.acp.in_memory import MemoryStore
from support.command import Workspace
from support.scenario import write_scenario

Replay = Callable[..., None]


@pytest.fixture
def replay(workspace: Workspace) -> Replay:
    """Make the workspace's model give these responses."""

    def write(*responses: list[dict[str, Any]]) -> None:
        workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))

    return write


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let sessions of the harness work without files."""
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    monkeypatch.setenv("CODE_REPLAY", str(write_scenario(tmp_path, [])))
    cached: dict[str, AcpWorkspace] = {}

    def workspace_of(base: ConfigOverrides, params: SessionParams) -> AcpWorkspace:
        if "it" not in cached:
            cached["it"] = AcpWorkspace(params, base, load_config(base))
        return cached["it"]

    async def no_replay(*_: object) -> None:
        pass

    monkeypatch.setattr(sessions, "replay", no_replay)
    monkeypatch.setattr(AcpWorkspace, "of", workspace_of)
    monkeypatch.setattr(sessions, "store_of", MemoryStore)
