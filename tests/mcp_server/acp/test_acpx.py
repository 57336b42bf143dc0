"""acpx, a command-line client that nobody here wrote, drives `code acp`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.command import CODE, Workspace
from support.npm import npm_programs

VERSIONS = {"0.1.15": ("acpx@0.1.15",), "0.19.1": ("node@22.23.3", "acpx@0.19.1")}
"""The versions to install from npm; newer ones need a newer Node than most machines have."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="acpx uses sockets of Unix"),
]

Acpx = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=VERSIONS)
def acpx(request: pytest.FixtureRequest, workspace: Workspace, tmp_path: Path) -> Acpx:
    programs = npm_programs(*VERSIONS[request.param])
    path = os.pathsep.join((str(programs), workspace.environment["PATH"]))
    home = tmp_path / "user"
    home.mkdir()

    def run(
        *arguments: str, form: str = "quiet", agent: str = f"{CODE} acp"
    ) -> "subprocess.CompletedProcess[str]":
        options = ("--cwd", str(workspace.directory), "--ttl", "2", "--timeout", "60", "--format", form)
        return subprocess.run(
            [str(programs / "acpx"), "--agent", agent, *options, *arguments],
            cwd=workspace.directory,
            env={**workspace.environment, "HOME": str(home), "PATH": path},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


def touching() -> list[list[dict[str, Any]]]:
    arguments = {"command": ["touch", "made"], "with_escalated_permissions": True, "justification": "to see"}
    touch = sse.function_call("shell", arguments, "c1")
    return [
        [sse.message("Let me."), touch, sse.completed()],
        [sse.message("All done."), sse.completed()],
        [sse.message("Still here."), sse.completed()],
    ]


@pytest.mark.parametrize(("flag", "code"), [("--approve-all", 0), ("--deny-all", 5)])
def test_one_prompt_with_a_permission_request(
    workspace: Workspace, replay: Replay, acpx: Acpx, flag: str, code: int
) -> None:
    replay(*touching())
    done = acpx(flag, "exec", "do it", form="json")
    assert done.returncode == code, done.stderr
    assert (workspace.directory / "made").exists() == (flag == "--approve-all")
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(frame.get("result") == {"stopReason": "end_turn"} for frame in frames)
    kinds = [
        frame["params"]["update"]["sessionUpdate"]
        for frame in frames
        if frame.get("method") == "session/update"
    ]
    assert {"agent_message_chunk", "tool_call", "tool_call_update", "usage_update"} <= set(kinds)


def test_a_session_over_several_processes(workspace: Workspace, replay: Replay, acpx: Acpx) -> None:
    replay(*touching())
    new = acpx("sessions", "new")
    assert new.returncode == 0, new.stderr
    assert new.stdout.strip() in acpx("sessions", "list").stdout
    for *change, value in (
        ("set-mode", "auto"),
        ("set", "model", "gpt-5-codex"),
        ("set", "thought_level", "high"),
    ):
        done = acpx(*change, value)
        assert done.stdout.strip() == value, done.stderr
    first = acpx("--approve-all", "prompt", "do it")
    assert (first.returncode, "All done." in first.stdout) == (0, True)
    assert acpx("sessions", "close").returncode == 0
    listed = acpx("sessions", "list", "--local")
    if listed.returncode != 0:  # older ones list only their own records
        listed = acpx("sessions", "list")
    assert "closed" in listed.stdout, listed.stderr


def test_a_running_command_is_cancelled(workspace: Workspace, replay: Replay, acpx: Acpx) -> None:
    started = workspace.directory / "started"
    script = f"touch {started}; sleep 300"
    arguments = {
        "command": ["bash", "-c", script],
        "with_escalated_permissions": True,
        "justification": "to see",
    }
    replay([sse.function_call("shell", arguments, "c1"), sse.completed()])
    assert acpx("sessions", "new").returncode == 0
    assert acpx("--approve-all", "prompt", "--no-wait", "do it").returncode == 0
    until = time.monotonic() + 60
    while not started.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert started.exists()
    cancelled = acpx("cancel")
    assert (cancelled.returncode, "cancel" in cancelled.stdout + cancelled.stderr) == (0, True)
    acpx("sessions", "close")
