"""A prompt that is cancelled while something other than the model or a command is at work."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.test_sessions import session_params
from mcp_server.acp.test_turns import FULL
from support import ScriptedUpstream, pause, stream
from support import responses_events as sse
from support.acp_client import AcpClient, prompt_params
from support.command import Workspace

TESTS = str(Path(__file__).parents[2])
HANGS = (sse.created(), pause(60.0))
PATCH = "*** Begin Patch\n*** Add File: made.sh\n+echo\n*** End Patch\n"


def says(text: str, **usage: Any) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed(**usage))


class Stage:
    """What the second prompt is, and how to know that it is at work."""

    def __init__(self, workspace: Workspace, upstream: ScriptedUpstream) -> None:
        self.workspace, self.upstream = workspace, upstream
        self.prompt = "go"
        self.more = ""
        self.is_at_work: Callable[[], bool] = lambda: len(upstream.requests) >= 2

    def compact(self) -> None:
        self.prompt = "/compact"
        self.upstream.add(stream(*HANGS))

    def review(self) -> None:
        (self.workspace.directory / "changed.txt").write_text("x\n")
        self.prompt = "/review"
        self.upstream.add(stream(*HANGS))

    def validation(self) -> None:
        programs = self.workspace.home / "bin"
        programs.mkdir()
        seconds = f"60.{os.getpid()}"  # recognises the process: the checker may write nothing
        (programs / "shellcheck").write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
        (programs / "shellcheck").chmod(0o755)
        environment = self.workspace.environment
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        self.more = "validation.timeout_seconds = 60"
        patch = sse.custom_tool_call("apply_patch", PATCH, "p1")
        self.upstream.add(stream(sse.created(), patch, sse.completed()))
        self.is_at_work = partial(sleeps, seconds)


@pytest.mark.parametrize("name", ["compact", "review", "validation"])
def test_the_session_goes_on_after_it(workspace: Workspace, upstream: ScriptedUpstream, name: str) -> None:
    stage = Stage(workspace, upstream)
    upstream.add(says("First."))
    getattr(stage, name)()
    upstream.add(says("Again."), says("Loaded."))
    workspace.configure(upstream.base_url, stage.more)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        prompt = client.send("session/prompt", prompt_params(session, stage.prompt))
        wait(client, stage.is_at_work)
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        assert open_calls(client) == set()
        assert client.prompt(session, "again") == "end_turn"
        assert client.text().endswith("Again.")
    assert not (workspace.directory / "made.sh").exists()
    check_afterwards(workspace, upstream, session)


def test_a_prompt_is_cancelled_while_the_first_server_connects(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    server = {
        "name": "deaf",
        "command": sys.executable,
        "args": ["-c", "input(); input(); input()"],
        "env": [],
    }
    upstream.add(says("Again."), says("Loaded."))
    workspace.configure(upstream.base_url)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session(mcpServers=[server])
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.drain(0.3)
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        assert upstream.requests == []
        assert client.prompt(session, "again") == "end_turn"
        assert client.text().endswith("Again.")
    check_afterwards(workspace, upstream, session)


def test_an_undo_that_is_cancelled_restores_all_files_or_none(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    files = [workspace.directory / f"{number}.txt" for number in range(300)]
    for file in files:
        file.write_text("before\n")
    script = "for f in *.txt; do echo after > $f; done"
    call = sse.function_call("shell", {"command": ["sh", "-c", script]}, "c1")
    upstream.add(
        stream(sse.created(), call, sse.completed()), says("First."), says("Again."), says("Loaded.")
    )
    workspace.configure(upstream.base_url)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        prompt = client.send("session/prompt", prompt_params(session, "/undo"))
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt)["stopReason"] in {"cancelled", "end_turn"}
        client.drain(0.3)
        assert len({file.read_text() for file in files}) == 1
        assert client.prompt(session, "again") == "end_turn"
    check_afterwards(workspace, upstream, session)


def wait(client: AcpClient, condition: Callable[[], bool]) -> None:
    """Read what comes until something holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, client.updates
        client.drain(0.05)


def sleeps(seconds: str) -> bool:
    """Whether `sleep` runs for this time."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            program, _, rest = file.read_bytes().partition(b"\0")
            if program.endswith(b"sleep") and rest == seconds.encode() + b"\0":
                return True
    return False


def open_calls(client: AcpClient) -> set[str]:
    """The tool calls that have begun and not ended."""
    states = {one["toolCallId"]: one["status"] for one in client.updates if "status" in one}
    return {name for name, state in states.items() if state not in {"completed", "failed"}}


def check_afterwards(workspace: Workspace, upstream: ScriptedUpstream, session: str) -> None:
    """Check what was recorded: it is valid, and another process goes on with it."""
    [path] = (workspace.home / "sessions").rglob("*.jsonl")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    marks = [one["payload"]["type"] for one in entries if one["type"] == "event_msg"]
    starts = marks.count("task_started")
    assert starts == marks.count("task_complete") + marks.count("turn_aborted")
    with AcpClient(workspace, *FULL) as client:
        client.initialize()
        client.call("session/load", {"sessionId": session, **session_params(workspace)})
        assert open_calls(client) == set()
        assert not any("was resumed" in str(one) for one in client.updates)
        assert client.prompt(session, "and now") == "end_turn"
        assert client.text().endswith("Loaded.")
    upstream.assert_finished()
    assert [*(workspace.home / "validation").rglob("*")] == []
