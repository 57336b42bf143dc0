"""Independent clients call `codex` over stdio, with and without a user to ask.

The SDK's client is always tested, others if `CODE_FOREIGN_CLIENTS` names a Python that has them:

    python -m venv foreign && foreign/bin/pip install fastmcp openai-agents "pydantic-ai-slim[mcp]"
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitRequestParams, ElicitResult

from mcp_server.test_modern import ASK, BYE, TOUCH
from support.command import CODE, Workspace
from support.scenario import write_scenario

PROGRAM = Path(__file__).with_name("foreign_clients.py")
PYTHON = os.environ.get("CODE_FOREIGN_CLIENTS", "")


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
@pytest.mark.parametrize("elicits", [True, False])
def test_the_sdks_client_in_both_eras(workspace: Workspace, mode: str, elicits: bool) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [TOUCH, BYE]))
    parameters = StdioServerParameters(
        command=CODE, args=["mcp-server"], env=workspace.environment, cwd=workspace.directory
    )

    async def elicit(_: Any, params: ElicitRequestParams) -> ElicitResult:
        assert "$ touch made" in params.message
        return ElicitResult(action="accept", content={"decision": "approved"})

    async def main() -> None:
        callback: Any = elicit if elicits else None
        with anyio.fail_after(60):
            async with Client(stdio_client(parameters), mode=mode, elicitation_callback=callback) as client:
                result = await client.call_tool("codex", ASK)
                assert result.structured_content is not None
                assert result.structured_content["content"] == "bye"

    anyio.run(main)
    assert (workspace.directory / "made").exists() == elicits


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="fastmcp, openai-agents, pydantic-ai: CODE_FOREIGN_CLIENTS is not set")
@pytest.mark.parametrize("name", ["fastmcp", "agents", "pydantic_ai"])
@pytest.mark.parametrize("elicits", [True, False])
def test_another_client(workspace: Workspace, name: str, elicits: bool) -> None:
    scenario = write_scenario(workspace.home, [TOUCH, BYE])
    settings = [f"CODE_HOME={workspace.home}", f"CODE_REPLAY={scenario}"]
    done = subprocess.run(
        [PYTHON, PROGRAM, name, "elicit" if elicits else "none", "env", *settings, CODE, "mcp-server"],
        cwd=workspace.directory,
        env=workspace.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bye" in done.stdout
    can_ask = elicits and name != "agents"  # which has nobody to ask
    assert (workspace.directory / "made").exists() == can_ask
