import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from support import ScriptedUpstream, pause, reply, stream
from support import responses_events as sse
from support.command import KEY, Workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"


def types(stdout: str) -> list[str]:
    return [json.loads(line)["msg"]["type"] for line in stdout.splitlines()]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": {"message": "bad key"}}, "Check the API key in SCRIPTED_API_KEY"),
        (404, {"error": {"message": "no such model"}}, "answered 404"),
        (
            429,
            {"error": {"type": "usage_limit_reached", "plan_type": "plus", "resets_in_seconds": 600}},
            "10 minutes",
        ),
        (400, {"error": {"code": "context_length_exceeded", "message": "too long"}}, "context window"),
        (400, {"error": {"code": [], "type": {}, "message": ["odd"]}}, "odd"),
        (400, [1], "answered 400"),
    ],
)
def test_a_refused_request_is_reported_once_and_not_repeated(
    workspace: Workspace, upstream: ScriptedUpstream, status: int, body: dict[str, Any], expected: str
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(reply(status, body=body, headers={"x-request-id": "req-7"}))
    done = workspace.run("exec", "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert expected in done.stderr
    assert KEY not in done.stderr
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("coding", ["br", "zstd"])
@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_a_response_compressed_in_an_unsupported_format_is_not_retried(
    workspace: Workspace, upstream: ScriptedUpstream, coding: str, wire: str
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(reply(200, body="\x8b\x00\x80", headers={"Content-Encoding": coding}))
    done = workspace.run("exec", "-c", f"model_providers.scripted.wire_api={wire}", "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the server compressed its answer ('{coding}'), although it was asked not to" in done.stderr
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("code", ["content_policy_violation", "bio_policy", "invalid_image_format"])
def test_a_permanent_error_within_a_stream_is_not_retried(
    workspace: Workspace, upstream: ScriptedUpstream, code: str
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.created(), sse.failed(code, "flagged")))
    done = workspace.run("exec", "hi")
    assert done.returncode == 1
    assert f"({code}: flagged)" in done.stderr
    assert len(upstream.requests) == 1


def test_requests_are_repeated_after_busy_and_broken_responses(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(
        reply(429, body={"error": {"message": "slow down"}}, headers={"Retry-After": "0"}),
        reply(503, body="busy", headers={"Retry-After": "0"}),
        stream(sse.created(), sse.text_delta("half a mess"), disconnect=True),
        stream(sse.created(), sse.failed("rate_limit_exceeded", "try again in 5ms")),
        stream(sse.created(), sse.message("at last"), sse.completed()),
    )
    done = workspace.run("exec", "--json", "hi")
    assert done.returncode == 0
    upstream.assert_finished()
    errors = [
        event["msg"]
        for event in map(json.loads, done.stdout.splitlines())
        if event["msg"]["type"] == "stream_error"
    ]
    assert [(error["attempt"], error["max"]) for error in errors] == [(1, 4), (2, 4), (1, 5), (2, 5)]
    assert errors[-1]["delay_ms"] == 5


def test_a_call_of_a_broken_stream_runs_once(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    command = ["bash", "-c", "echo ran >> log"]
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": command}, "c1"), disconnect=True),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    assert workspace.run("exec", FULL, "hi").returncode == 0
    assert (workspace.directory / "log").read_text() == "ran\n"
    assert [item["type"] for item in upstream.requests[1].json["input"][-2:]] == [
        "function_call",
        "function_call_output",
    ]


def test_an_interrupt_ends_the_turn_and_its_command(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    fifo_wait = ["bash", "-c", "echo $$ > pid; echo started; sleep 60"]
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": fifo_wait}, "c1"), sse.completed())
    )
    process = workspace.start("exec", FULL, "--json", "hi")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "exec_command_output_delta" in line:
            process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(timeout=10) == 130
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert types("".join(lines))[-4:] == [
        "exec_command_end",
        "undo_available",
        "turn_aborted",
        "shutdown_complete",
    ]
    pid = int((workspace.directory / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_an_interrupt_ends_a_silent_stream(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.created(), sse.text_delta("so"), pause(threading.Event())))
    process = workspace.start("exec", "--json", "hi")
    assert process.stdout is not None
    for line in process.stdout:
        if "agent_message_delta" in line:
            process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SSL_CERT_FILE", "/no/such/file.pem", "check SSL_CERT_FILE"),
    ],
)
def test_a_failed_connection_is_reported_in_one_line(
    workspace: Workspace, name: str, value: str, expected: str
) -> None:
    workspace.configure("https://localhost:9")
    workspace.environment[name] = value
    done = workspace.run("exec", "-c", "key_isolation=never", "hi")
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ('env_http_headers = { X-Secret = "THE_HEADER" }', "variable THE_HEADER contains control characters"),
        ('http_headers = { "X-\u00e4" = "a" }', "is not a header name"),
        ('http_headers = { "X-A" = "a\\nb" }', "value of the header 'X-A' contains control characters"),
    ],
)
def test_an_invalid_header_is_reported_in_one_line_that_does_not_show_it(
    workspace: Workspace, upstream: ScriptedUpstream, headers: str, expected: str
) -> None:
    config = workspace.home / "config.toml"
    workspace.configure(upstream.base_url)
    text = config.read_text().replace('http_headers = { X-Team = "blue" }', headers)
    config.write_text(text)
    workspace.environment["THE_HEADER"] = "se\ncret"
    done = workspace.run("exec", "hi")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert expected in done.stderr
    assert "cret" not in done.stderr
    assert upstream.requests == []


def test_the_request_is_repeated_after_a_broken_item(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    broken = {"type": "function_call", "call_id": "c1", "arguments": "{}"}
    upstream.add(
        stream(sse.created(), sse.item_done(broken), sse.completed()),
        stream(sse.created(), sse.message("whole"), sse.completed()),
    )
    done = workspace.run("exec", "hi")
    assert (done.returncode, done.stdout) == (0, "whole\n")
    assert "broken item: " in done.stderr
