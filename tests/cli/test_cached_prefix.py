"""Each request begins with the bytes of the previous one: with real tools, a real MCP server, and restarted programs."""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from code_core.protocol.policies import WireApi
from support import Reply, ScriptedUpstream, chat_stream, pictures, stream
from support import chat_chunks as chat
from support import responses_events as sse
from support.command import Workspace

SERVER = Path(__file__).parents[1] / "mcp_client/servers/listed.py"
RUNS, ROUNDS = 4, 12
FIELD: dict[WireApi, str] = {"responses": "input", "chat": "messages"}
Call = tuple[str, dict[str, Any], str]


def calls_of(number: int) -> list[Call]:
    """What the model does in its answer to a request."""
    patch = f"*** Begin Patch\n*** Add File: made-{number}.txt\n+é {number}\n*** End Patch\n"
    plan = [{"step": f"step {number}", "status": "in_progress"}, {"step": "then", "status": "pending"}]
    kinds: list[list[tuple[str, dict[str, Any]]]] = [
        [("shell", {"command": ["sh", "-c", f"echo {number}; echo problem >&2; exit {number % 3}"]})],
        [("one__echo", {"number": number}), ("one__structured", {})],
        [("update_plan", {"plan": plan})],
        [("apply_patch", {"input": patch}), ("shell", {"command": ["cat", f"made-{number}.txt"]})],
        [("one__picture", {}), ("view_image", {"path": "seen.png"})],
        [("exec_command", {"cmd": f"echo {number}", "tty": True}), ("one__fail", {}), ("nothing", {})],
    ]
    return [(name, given, f"c{number}-{at}") for at, (name, given) in enumerate(kinds[number % len(kinds)])]


def answer(api: WireApi, number: int, calls: list[Call]) -> Reply:
    text = f"Looking {number}:"
    if api == "chat":
        chunks = [chat.call(name, given, call_id, at) for at, (name, given, call_id) in enumerate(calls)]
        return chat_stream(
            chat.reasoning(f"Hm {number}"), chat.text(text), *chunks, chat.finish("tool_calls"), chat.usage()
        )
    thought = sse.reasoning(f"Hm {number}", f"sealed {number}")
    return stream(
        sse.created(),
        thought,
        sse.message(text),
        *(sse.function_call(*call) for call in calls),
        sse.completed(),
    )


def end(api: WireApi) -> Reply:
    if api == "chat":
        return chat_stream(chat.text("done"), chat.finish(), chat.usage())
    return stream(sse.created(), sse.message("done"), sse.completed())


def array(body: bytes, field: str) -> bytes:
    """The bytes of the array `field` in a request."""
    start = body.index(f'"{field}":['.encode()) + len(field) + 3
    text = body[start:].decode()
    _, length = json.JSONDecoder().raw_decode(text)
    return text[:length].encode()


@pytest.mark.slow
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_each_request_begins_with_the_bytes_of_the_one_before(
    workspace: Workspace, upstream: ScriptedUpstream, api: WireApi
) -> None:
    (workspace.directory / "seen.png").write_bytes(pictures.png())
    (workspace.home / "config.toml").write_text(
        'model = "m"\nmodel_provider = "p"\n'
        f'[model_providers.p]\nbase_url = "{upstream.base_url}"\nwire_api = "{api}"\n'
        f'[mcp_servers.one]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\n'
        f'env = {{ PYTHONPATH = "{SERVER.parents[2]}" }}\nrequired = true\nstartup_timeout_sec = 60\n'
        "[models.m]\ncontext_window = 1000000\n"
    )
    for run in range(RUNS):
        numbers = range(run * ROUNDS, (run + 1) * ROUNDS)
        upstream.add(*(answer(api, number, calls_of(number)) for number in numbers), end(api))
        resume = ["resume", "--last"] if run else []
        done = workspace.run(
            "exec", *resume, "--sandbox", "danger-full-access", "-i", "seen.png", f"go {run}", timeout=120
        )
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    upstream.assert_finished()
    inputs = [array(request.body, FIELD[api]) for request in upstream.requests]
    assert len(inputs) >= 50
    for number, (before, after) in enumerate(pairwise(inputs), 2):
        assert after.startswith(before.removesuffix(b"]") + b","), f"request {number}"
    last = inputs[-1].decode()
    assert all(call_id in last for number in range(RUNS * ROUNDS) for _, _, call_id in calls_of(number))
    assert last.count("data:image/png;base64,") > RUNS
