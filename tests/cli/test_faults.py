"""Faults around a whole run of `code exec`: processes that are killed, disks that fill up, readers that leave."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support import ScriptedUpstream, reply, stream
from support import responses_events as sse
from support.command import CODE, Workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"


def text_reply(text: str) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed())


def runs(script: str) -> Any:
    call = sse.function_call("shell", {"command": ["sh", "-c", script]}, "c1")
    return stream(sse.created(), call, sse.completed())


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    while text not in (line := process.stdout.readline()):
        assert line, process.communicate()


def events(output: str, kind: str) -> list[dict[str, Any]]:
    messages = [json.loads(line)["msg"] for line in output.splitlines()]
    return [message for message in messages if message["type"] == kind]


def test_a_killed_key_proxy_ends_the_turn_with_an_error(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(runs("until [ -e go ]; do sleep 0.05; done"), text_reply("never"))
    process = workspace.start("exec", "-c", "key_isolation=always", FULL, "--json", "hi")
    wait_for(process, "exec_command_begin")
    [proxy] = [
        child
        for child in psutil.Process(process.pid).children()
        if "code_responses_api_proxy" in child.cmdline()
    ]
    proxy.kill()
    (workspace.directory / "go").touch()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    [error] = events(output, "error")
    assert "proxy" in error["message"]
    done = workspace.run("exec", "resume", "--last", "go on")
    assert (done.returncode, done.stdout) == (0, "never\n")


@pytest.mark.parametrize("cut", range(6))
def test_a_stream_that_is_cut_after_any_event_loses_and_repeats_nothing(
    workspace: Workspace, upstream: ScriptedUpstream, cut: int
) -> None:
    workspace.configure(upstream.base_url)
    call = sse.function_call("shell", {"command": ["sh", "-c", "echo ran >> log"]}, "c1")
    whole = [sse.created(), sse.text_delta("I "), sse.text_delta("run it."), sse.message("I run it."), call]
    replies = [stream(*whole[:cut], disconnect=True), stream(*whole, sse.completed())]
    if cut == len(whole):  # the call is complete: its output is sent, and nothing is repeated
        replies.pop()
    upstream.add(*replies, text_reply("done"))
    done = workspace.run("exec", FULL, "--json", "hi")
    assert done.returncode == 0, done.stderr
    upstream.assert_finished()
    assert (workspace.directory / "log").read_text() == "ran\n"
    assert [one["message"] for one in events(done.stdout, "agent_message")] == ["I run it.", "done"]
    assert len(events(done.stdout, "stream_error")) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_turn_ends_with_an_error_if_a_provider_never_recovers(
    workspace: Workspace, upstream: ScriptedUpstream, status: int
) -> None:
    workspace.configure(upstream.base_url)
    busy = reply(status, body={"error": {"message": "busy"}}, headers={"Retry-After": "0"})
    upstream.add(*[busy] * 5)
    done = workspace.run("exec", "hi")
    assert done.returncode == 1
    upstream.assert_finished()
    assert done.stderr.splitlines()[-1].endswith("(gave up after 5 attempts)")


def test_the_turn_ends_with_an_error_if_an_upstream_never_answers(workspace: Workspace) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        workspace.configure(f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        table = "model_providers.scripted"
        limits = (f"{table}.stream_idle_timeout_ms=200", f"{table}.request_max_retries=1")
        done = workspace.run("exec", *(word for limit in limits for word in ("-c", limit)), "hi")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("did not answer (gave up after 2 attempts)")


@pytest.fixture
def small_disk(workspace: Workspace) -> Iterator[Path]:
    """A directory of the workspace that is full after a few kilobytes."""
    directory = workspace.directory / "small"
    directory.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", directory], check=True, capture_output=True
        )
    except (subprocess.CalledProcessError, OSError):
        pytest.skip("cannot mount a small disk: needs root and mount")
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


def test_a_disk_that_fills_up_while_a_patch_is_applied_leaves_the_old_file(
    workspace: Workspace, upstream: ScriptedUpstream, small_disk: Path
) -> None:
    workspace.configure(upstream.base_url)
    (small_disk / "old.txt").write_text("old\n")
    added = "\n".join(f"+{'x' * 60}" for _ in range(1_000))
    patch = f"*** Begin Patch\n*** Update File: small/old.txt\n@@\n-old\n{added}\n*** End Patch\n"
    upstream.add(
        stream(sse.created(), sse.custom_tool_call("apply_patch", patch, "c1"), sse.completed()),
        text_reply("done"),
    )
    done = workspace.run("exec", FULL, "-c", "checkpoints.enabled=false", "hi")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert (small_disk / "old.txt").read_text() == "old\n"
    assert [path.name for path in small_disk.iterdir()] == ["old.txt"]
    assert "No space left on device" in upstream.requests[1].json["input"][-1]["output"]
    assert "No space left on device" in done.stderr


def test_ten_thousand_lines_of_output_are_cut_for_the_model_and_kept_in_a_file(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(runs("seq 10000"), text_reply("done"))
    done = workspace.run("exec", FULL, "hi")
    assert (done.returncode, done.stdout) == (0, "done\n")
    output = json.loads(upstream.requests[1].json["input"][-1]["output"])["output"]
    assert output.startswith("1\n2\n")
    assert "\n9999\n10000" in output
    assert len(output) < 45_000
    assert "\n5000\n" not in output
    [kept] = [path for path in (workspace.home / "outputs").rglob("*") if path.is_file()]
    assert kept.read_text() == "".join(f"{number}\n" for number in range(1, 10_001))
    assert len(done.stderr.splitlines()) < 100


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_the_session_can_be_resumed(
    workspace: Workspace, upstream: ScriptedUpstream, signum: signal.Signals
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(runs("sleep 300"), text_reply("went on"))
    process = workspace.start("exec", FULL, "--json", "hi")
    wait_for(process, "exec_command_begin")
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    done = workspace.run("exec", FULL, "resume", "--last", "go on")
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_a_hang_up_ends_the_run_and_the_session_can_be_resumed(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(runs("sleep 300"), text_reply("went on"))
    process = workspace.start("exec", FULL, "--json", "hi")
    wait_for(process, "exec_command_begin")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 130  # it ended in order, as on Ctrl+C
    done = workspace.run("exec", FULL, "resume", "--last", "go on")
    assert (done.returncode, done.stdout) == (0, "went on\n")


@pytest.mark.parametrize("options", [("--json",), ()])
def test_the_run_ends_silently_if_its_reader_exits(
    workspace: Workspace, upstream: ScriptedUpstream, options: tuple[str, ...]
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(text_reply("done"))
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [CODE, "exec", *options, "hi"],
            cwd=workspace.directory,
            env=workspace.environment,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_killed_mcp_server_fails_the_call_and_the_turn_continues(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    script = workspace.home / "server.py"
    script.write_text(SERVER)
    with (workspace.home / "config.toml").open("a") as config:
        config.write(
            f"[mcp_servers.s]\ncommand = {json.dumps(sys.executable)}\nargs = [{json.dumps(str(script))}]\n"
        )
    call = sse.function_call("s__die", {}, "c1")
    upstream.add(stream(sse.created(), call, sse.completed()), text_reply("done"))
    done = workspace.run("exec", "--json", "hi")
    assert done.returncode == 0, done.stderr
    [end] = events(done.stdout, "mcp_tool_call_end")
    assert "Err" in end["result"]
    assert events(done.stdout, "task_complete")[0]["last_agent_message"] == "done"


SERVER = """
import json, os, signal, sys

for line in sys.stdin:
    message = json.loads(line)
    match message.get("method"):
        case "initialize":
            result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                      "serverInfo": {"name": "s", "version": "1"}}
        case "tools/list":
            result = {"tools": [{"name": "die", "inputSchema": {"type": "object"}}]}
        case "tools/call":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            if "id" in message:
                print(json.dumps({"jsonrpc": "2.0", "id": message["id"],
                                  "error": {"code": -32601, "message": "no"}}), flush=True)
            continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
