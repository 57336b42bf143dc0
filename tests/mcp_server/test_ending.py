"""How `code mcp-server` starts and ends as a process."""

import os
import pty
import signal
import subprocess

import pytest

from support.command import CODE, Workspace

INITIALIZE = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", '
    b'"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}\n'
)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_server_while_it_waits_for_a_client(
    workspace: Workspace, signum: signal.Signals
) -> None:
    with subprocess.Popen(
        [CODE, "mcp-server"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(INITIALIZE)
        process.stdin.flush()
        assert b'"result"' in process.stdout.readline()
        process.send_signal(signum)
        assert process.wait(30) == 128 + signum
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_client_that_does_not_read_does_not_prevent_the_exit(workspace: Workspace) -> None:
    with subprocess.Popen(
        [CODE, "mcp-server"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(INITIALIZE)
        request = b'{"jsonrpc": "2.0", "id": %d, "method": "tools/list"}\n'
        process.stdin.write(b"".join(request % number for number in range(2, 200)))
        process.stdin.flush()
        assert process.stdout is not None
        assert process.stdout.read(10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM


def test_on_a_terminal_the_server_explains_itself(workspace: Workspace) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [CODE, "mcp-server"],
            cwd=workspace.directory,
            env=workspace.environment,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            assert b"is meant to be started by an MCP client" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 128 + signal.SIGINT
    finally:
        os.close(ours)
        os.close(theirs)
