"""A signal while something other than the model or a command is at work."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mcp_server.acp.test_cancelled_stages import sleeps
from support import ScriptedUpstream, pause, stream
from support import responses_events as sse
from support.command import Workspace
from tui.terminal import Terminal

FULL = "--dangerously-bypass-approvals-and-sandbox"
HANGS = (sse.created(), pause(60.0))
PATCH = "*** Begin Patch\n*** Add File: made.sh\n+echo\n*** End Patch\n"


def says(text: str, tokens: int = 10) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed(input_tokens=tokens))


def connecting(workspace: Workspace, upstream: ScriptedUpstream) -> Callable[[], bool]:
    seconds = f"60.{time.monotonic_ns()}"
    workspace.configure(upstream.base_url)
    with (workspace.home / "config.toml").open("a") as file:
        file.write(f'[mcp_servers.deaf]\ncommand = "sleep"\nargs = ["{seconds}"]\nrequired = true\n')
    return partial(sleeps, seconds)


def checking(workspace: Workspace, upstream: ScriptedUpstream) -> Callable[[], bool]:
    programs = workspace.home / "bin"
    programs.mkdir()
    seconds = f"60.{time.monotonic_ns()}"
    (programs / "shellcheck").write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    (programs / "shellcheck").chmod(0o755)
    workspace.environment["PATH"] = f"{programs}:{workspace.environment['PATH']}"
    workspace.configure(upstream.base_url, "validation.timeout_seconds = 60")
    patch = sse.custom_tool_call("apply_patch", PATCH, "p1")
    upstream.add(stream(sse.created(), patch, sse.completed()))
    return partial(sleeps, seconds)


def compacting(workspace: Workspace, upstream: ScriptedUpstream) -> Callable[[], bool]:
    workspace.configure(upstream.base_url, "model_context_window = 20000")
    upstream.add(says("First.", tokens=19_000))
    assert workspace.run("exec", FULL, "x " * 2_000).stdout == "First.\n"
    upstream.add(stream(*HANGS))
    return lambda: len(upstream.requests) >= 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", [connecting, checking, compacting])
def test_the_session_can_be_resumed_after_it(
    workspace: Workspace,
    upstream: ScriptedUpstream,
    stage: Callable[[Workspace, ScriptedUpstream], Callable[[], bool]],
    signum: signal.Signals,
) -> None:
    is_at_work = stage(workspace, upstream)
    resume = () if stage is not compacting else ("resume", "--last")
    process = workspace.start("exec", FULL, "--json", *resume, "go")
    until(is_at_work, process)
    process.send_signal(signum)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    ends = [one["msg"]["type"] for one in map(json.loads, output.splitlines())]
    assert ends.count("turn_aborted") == 1
    assert ends[-1] == "shutdown_complete"
    assert not (workspace.directory / "made.sh").exists()
    upstream.add(says("went on"))
    more = ("-c", "mcp_servers.deaf.enabled=false") if stage is connecting else ()
    done = workspace.run(
        "exec", FULL, *more, "-c", "model_context_window=200000", "resume", "--last", "go on"
    )
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
    lost = "1 tool call without a result counts as aborted"
    assert done.stderr.count("the session was resumed: ") == done.stderr.count(lost) == (stage is checking)
    upstream.assert_finished()


def test_ctrl_c_in_the_chat_during_a_compaction(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url, "model_context_window = 20000")
    upstream.add(says("First.", tokens=19_000), stream(*HANGS), says("Summary."), says("Again."))
    chat = Terminal(workspace, "x " * 2_000)
    chat.until("First.")
    chat.until("> ")
    chat.type("go\n")
    upstream.wait_for_requests(2, timeout=60)
    chat.type("\x03")
    chat.until("turn interrupted")
    chat.type("again\n")
    chat.until("Again.\r\n\r\n> ")
    chat.close()
    users = [one for one in upstream.requests[-1].json["input"] if one.get("role") == "user"]
    assert [text for text in ("go", "again") if f'"text": "{text}"' in json.dumps(users)] == ["go", "again"]
    upstream.assert_finished()


def until(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
