"""A provider that sends more than any model: one clear error, soon and with little memory."""

import json
from typing import Any

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace
from support.upstream import chat_stream

MOST_MEBIBYTES = 256
TEXT = "x" * 2**20


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def call(number: int) -> dict[str, Any]:
    return {"index": number, "id": f"c{number}", "function": {"name": "nope", "arguments": "{}"}}


def lines(count: int, event: bytes) -> list[bytes]:
    return [b"data: " + event + b"\n\n"] * count


HUGE = json.dumps({"type": "response.output_text.delta", "delta": TEXT * 40}).encode()
LARGE = json.dumps({"type": "response.output_text.delta", "delta": TEXT}).encode()
FLOODS: dict[str, tuple[str, Any, str]] = {
    "one delta": ("responses", stream(*lines(1, HUGE)), "a server-sent event is larger than"),
    "many deltas": ("responses", stream(*lines(20, LARGE)), "has more than 16,777,216 characters"),
    "items": (
        "responses",
        stream(*({**sse.message("x"), "output_index": number} for number in range(10_001))),
        "has more than 10,000 items",
    ),
    "chat: one delta": ("chat", chat_stream(chunk(content=TEXT * 40)), "a server-sent event is larger than"),
    "chat: many deltas": ("chat", chat_stream(*[chunk(content=TEXT)] * 20), "more than 16,777,216 characters"),
    "chat: calls": (
        "chat",
        chat_stream(*(chunk(tool_calls=[call(number)]) for number in range(10_001))),
        "has more than 10,000 items",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_one_error(workspace: Workspace, upstream: ScriptedUpstream, name: str) -> None:
    wire, flood, problem = FLOODS[name]
    workspace.configure(upstream.base_url)
    upstream.add(flood)
    limited = ("sh", "-c", f'ulimit -d {MOST_MEBIBYTES * 1024}; exec "$@"', "sh")
    wired = f"model_providers.scripted.wire_api={wire}"
    done = workspace.run("exec", "--json", "-c", wired, "go", prefix=limited)
    assert done.returncode == 1, done.stderr
    errors = [
        one["msg"] for one in map(json.loads, done.stdout.splitlines()) if one["msg"]["type"] == "error"
    ]
    assert [problem in one["message"] for one in errors] == [True]
    assert len(upstream.requests) == 1
    assert done.stderr == ""
