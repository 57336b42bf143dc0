"""Whatever a client sends, every request is answered once, and the server keeps working."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import anyio.lowlevel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_core.errors import ConfigError
from code_core.session.manager import ConversationManager
from code_mcp_client.framing import Line, LineBuffer
from code_mcp_server.dialogue import Dialogue, Tools
from code_mcp_server.loading import Loading
from code_mcp_server.peer import Peer
from code_mcp_server.server import ToolServer
from code_mcp_server.sessions import SessionPool
from mcp_server.modern import CAPABILITIES, VERSION
from support.virtual_clock import run_virtually

METHODS = (
    *("initialize", "ping", "server/discover", "tools/list", "tools/call", "logging/setLevel"),
    *("tasks/get", "tasks/update", "tasks/cancel", "resources/list", "subscriptions/listen", "x", ""),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["\ud800", "2026-07-28", "2025-06-18", "codex", "session/new", "\x00", "../..", "z" * 5_000]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
META = st.dictionaries(
    st.sampled_from([VERSION, CAPABILITIES, "io.modelcontextprotocol/logLevel", "progressToken", "x"]),
    VALUES | st.just("2026-07-28") | st.just({}),
    max_size=4,
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(
        [
            "prompt",
            "cwd",
            "config",
            "threadId",
            "conversationId",
            "sessionId",
            "mcpServers",
            "clientTools",
            "modelId",
        ]
    ),
    VALUES,
    max_size=4,
)
PARAMS = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "_meta": META | VALUES,
        "name": st.sampled_from(["codex", "codex-reply", "session/new", "session/prompt", "nope"]) | VALUES,
        "arguments": ARGUMENTS | VALUES,
        "protocolVersion": st.sampled_from(["2025-06-18", "2026-07-28"]) | VALUES,
        "capabilities": VALUES,
        "requestState": VALUES,
        "inputResponses": VALUES,
        "taskId": VALUES,
        "level": VALUES,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": VALUES | st.integers(0, 3),
        "method": st.sampled_from(METHODS)
        | st.sampled_from(["session/cancel", "notifications/cancelled"])
        | VALUES,
        "params": PARAMS,
        "result": VALUES,
        "error": VALUES,
    },
)


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


DEEP = [b"[" * depth + b"]" * depth for depth in (150, 400, 100_000)]
DEEP += [b'{"id":5,"method":"ping","params":{"a":' + deep + b"}}" for deep in DEEP]
LINES = st.one_of(
    MESSAGES.map(text),
    st.lists(MESSAGES, max_size=3).map(text),
    st.tuples(MESSAGES.map(text), st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]]),
    VALUES.map(text),
    st.binary(max_size=40),
    st.sampled_from(DEEP),
)


class Output:
    """A client that reads everything."""

    has_room = True

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def send(self, line: bytes) -> None:
        self.send_nowait(line)

    def send_nowait(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.lines.append(line)


class NoEngine:
    """A manager with invalid settings, because no conversation is opened here."""

    async def new(self, *_: Any) -> None:
        raise ConfigError("no engine")

    async def resume(self, *_: Any) -> None:
        raise ConfigError("no engine")


async def served(data: bytes, loading_seconds: float = 0.0) -> list[dict[str, Any]]:
    """The server's answers to these bytes while its engine loads slowly."""

    async def lines() -> AsyncIterator[Line]:
        for line in LineBuffer(1_000_000).feed(data):
            yield line
            await anyio.lowlevel.checkpoint()

    output = Output()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            pool = SessionPool(cast("ConversationManager", NoEngine()), tasks)
            tools: Loading[Tools] = Loading()

            async def load() -> None:
                await anyio.sleep(loading_seconds)
                tools.set(ToolServer(pool, tasks, acp_enabled=True))

            tasks.start_soon(load)
            peer = Peer(output)
            await peer.serve(lines(), Dialogue(peer, tools))
            tasks.cancel_scope.cancel()
    return [json.loads(line) for line in output.lines]


def expected_ids(lines: list[bytes]) -> list[str]:
    """The ids of the requests that must be answered, in their order; the last id may be used again after its answer."""
    ids = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for message in value if isinstance(value, list) else [value]:
            match message:
                case {"method": str(), "id": int() | str() as request_id} if not isinstance(request_id, bool):
                    ids.append(json.dumps(request_id))
                case _:
                    pass
    return ids


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(LINES, max_size=6))
def test_every_request_is_answered_once_and_the_server_continues(lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]
    if any(b"cancelled" in line for line in lines):  # a request that is cancelled has no answer
        lines = [line for line in lines if b"cancelled" not in line]
    data = b"\n".join([*lines, b'{"jsonrpc":"2.0","id":"last","method":"ping"}', b""])
    answers = anyio.run(served, data)
    assert all(set(one) <= {"jsonrpc", "id", "result", "error", "method", "params"} for one in answers)
    assert not any("internal error" in one.get("error", {}).get("message", "") for one in answers), answers
    got = [json.dumps(one["id"]) for one in answers if "method" not in one]
    for request_id in {*expected_ids(lines), '"last"'}:
        wanted = [*expected_ids(lines), '"last"'].count(request_id)
        assert got.count(request_id) >= wanted or "\\ud" in request_id, (request_id, answers)
    assert any(one.get("id") == "last" for one in answers)


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES.map(text), max_size=6))
def test_cancelling_anything_does_no_harm(lines: list[bytes]) -> None:
    data = b"\n".join([*lines, b'{"jsonrpc":"2.0","id":"last","method":"ping"}', b""])
    assert any(one.get("id") == "last" for one in anyio.run(served, data))


def test_a_client_that_closed_its_end_gets_answers_from_a_slow_engine() -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    answers: list[dict[str, Any]] = []

    async def main() -> None:
        answers.extend(await served(b"".join(text(line) + b"\n" for line in lines), 15.0))

    run_virtually(main)
    assert [one["id"] for one in answers] == [1, 2]
