"""A command without a sandbox ends with the agent's process, however that ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace, make_workspace
from support.running import naps
from support.scenario import write_scenario
from tui.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
FULL = ("-s", "danger-full-access")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = make_workspace(tmp_path)
    script = f"sleep 300 & setsid sleep 300 & echo $$ > {tmp_path}/begun; wait"
    turn = [sse.function_call("shell", {"command": ["sh", "-c", script]}, "c1"), sse.completed()]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [turn]))
    return workspace


def wait_until(number: int, folder: Path) -> None:
    until = time.monotonic() + 30
    while len(naps(folder)) != number and time.monotonic() < until:
        time.sleep(0.05)
    assert len(naps(folder)) == number


REQUESTS: list[dict[str, object]] = [
    {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                                                 "clientInfo": {"name": "test", "version": "1"}}},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/call", "params": {"name": "codex", "arguments": {
        "prompt": "go", "sandbox": "danger-full-access", "approval-policy": "never"}}},
]  # fmt: skip


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
@pytest.mark.parametrize("frontend", ["exec", "mcp-server"])
def test_running_commands_end_with_the_agent(
    workspace: Workspace, frontend: str, signum: signal.Signals
) -> None:
    arguments = ("exec", *FULL, "go") if frontend == "exec" else ("mcp-server",)
    with subprocess.Popen(
        [CODE, *arguments],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdin is not None
            if frontend == "mcp-server":
                for request in REQUESTS:
                    process.stdin.write(json.dumps({"jsonrpc": "2.0", **request}).encode() + b"\n")
                process.stdin.flush()
            else:
                process.stdin.close()
            wait_until(2, workspace.directory)
            process.send_signal(signum)
            wait_until(0, workspace.directory)
        finally:
            process.kill()
            for left in naps(workspace.directory):
                left.kill()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("frontend", ["chat", "exec"])
def test_a_frontend_that_is_told_to_end_leaves_no_mount_points_behind(
    workspace: Workspace, frontend: str, signum: signal.Signals
) -> None:
    before = sorted(workspace.directory.iterdir())
    terminal = Terminal(workspace, frontend, "-s", "workspace-write", "go")
    try:
        wait_until(2, workspace.directory)
        os.kill(terminal.pid, signum)
        code = terminal.wait()
        assert code == (130 if frontend == "exec" else 128 + signum)
        assert sorted(workspace.directory.iterdir()) == before
        wait_until(0, workspace.directory)
    finally:
        for left in naps(workspace.directory):
            left.kill()


def test_exec_respects_nohup(workspace: Workspace) -> None:
    slow = [{"pause_ms": 2_000}, sse.message("Bye."), sse.completed()]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [slow]))
    with under_nohup(workspace, "exec", "go") as process:
        assert process.stderr is not None
        while b"model" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, b"Bye.\n")


@pytest.mark.parametrize(("server", "version"), [("mcp-server", "2025-06-18"), ("acp", 1)])
def test_servers_respect_nohup(workspace: Workspace, server: str, version: object) -> None:
    client = {"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    parameters = {"protocolVersion": version, **client}
    with under_nohup(workspace, server) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        assert b"result" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
        assert process.returncode == 0


def under_nohup(workspace: Workspace, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["nohup", CODE, *arguments],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.PIPE if arguments[0] != "exec" else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
