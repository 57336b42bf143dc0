"""`@modelcontextprotocol/inspector` in CLI mode drives `code mcp-server`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace
from support.npm import npm_programs
from support.scenario import write_scenario

BRIDGE = str(Path(__file__).parent / "bridge.py")
SERVER = (CODE, "mcp-server", "-s", "danger-full-access", "-c", "acp.enabled=true")


@pytest.fixture(scope="module")
def inspector() -> str:
    return str(npm_programs("@modelcontextprotocol/inspector@0.15.0") / "mcp-inspector")


@pytest.fixture
def server(workspace: Workspace) -> Iterator[tuple[str, ...]]:
    """The command with which the inspector reaches a server that outlives each of its runs."""
    responses = [
        [sse.function_call("shell", {"command": ["echo", "hello"]}, "c1"), sse.completed()],
        [sse.message("All done."), sse.completed()],
    ]
    scenario = write_scenario(workspace.home, responses)
    environment = {**workspace.environment, "CODE_REPLAY": str(scenario)}
    path = str(workspace.home / "s")
    with subprocess.Popen(
        [sys.executable, BRIDGE, "serve", path, *SERVER],
        env=environment,
        cwd=workspace.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as bridge:
        assert bridge.stdout is not None
        assert bridge.stdout.readline() == b"ready\n"
        yield sys.executable, BRIDGE, "connect", path
        bridge.kill()


def inspect(inspector: str, server: tuple[str, ...], *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [inspector, "--cli", *server, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return answer


def call(inspector: str, server: tuple[str, ...], tool: str, **arguments: str) -> dict[str, Any]:
    pairs = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
    return inspect(inspector, server, "--method", "tools/call", "--tool-name", tool, *pairs)


@pytest.mark.slow
def test_the_inspector_lists_the_tools(inspector: str, server: tuple[str, ...]) -> None:
    tools = inspect(inspector, server, "--method", "tools/list")["tools"]
    assert {"codex", "codex-reply", "session/new", "session/prompt"} <= {tool["name"] for tool in tools}


@pytest.mark.slow
def test_the_inspector_runs_codex(inspector: str, server: tuple[str, ...]) -> None:
    answer = call(inspector, server, "codex", prompt="hi")
    assert answer["structuredContent"]["content"] == "All done."


@pytest.mark.slow
def test_the_inspector_opens_a_session_and_prompts_it(
    inspector: str, server: tuple[str, ...], workspace: Workspace
) -> None:
    session = call(inspector, server, "session/new", cwd=str(workspace.directory))["structuredContent"][
        "sessionId"
    ]
    prompt = json.dumps([{"type": "text", "text": "hi"}])
    answer = call(inspector, server, "session/prompt", sessionId=session, prompt=prompt)
    assert answer["structuredContent"] == {"stopReason": "end_turn"}
