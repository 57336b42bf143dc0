"""Arbitrary lines and parameters: no crash, no hang, and an answer to every request.

`ACP_FUZZ=50000 pytest --timeout=7200 tests/mcp_server/acp/test_bad_lines.py` tries that many of each.
"""

import json
import os
from collections import Counter
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_mcp_client.framing import Line, LineBuffer, OversizeLine
from code_mcp_server.acp.peer import LONGEST_LINE
from mcp_server.acp.in_memory import Harness, harness
from support.virtual_clock import run_virtually

EXAMPLES = int(os.environ.get("ACP_FUZZ", "200"))
SETTLE_SECONDS = 3600.0
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
METHOD = st.sampled_from(
    "initialize authenticate logout session/new session/load session/resume session/list session/close "
    "session/delete session/prompt session/set_mode session/set_config_option session/set_model session/cancel "
    "$/cancel_request session/fork x".split()
)
NAMES = st.sampled_from(
    "sessionId cwd mcpServers prompt modeId configId value methodId cursor additionalDirectories systemPrompt _meta "
    "requestId modelId".split()
)
PARAMS = st.dictionaries(NAMES | st.text(max_size=5), JSON | st.just("/") | st.just([]), max_size=5)


@pytest.mark.usefixtures("in_memory")
@FUZZ
@given(calls=st.lists(st.tuples(METHOD, PARAMS | JSON, st.integers(0, 3) | JSON), max_size=8))
def test_any_parameters_are_answered_without_a_crash(calls: list[tuple[str, Any, Any]]) -> None:
    async def main() -> None:
        async with harness() as agent:
            for method, params, number in calls:
                agent.send({"id": number, "method": method, "params": params})
            await anyio.sleep(SETTLE_SECONDS)
            valid = [n for _, _, n in calls if _is_id(n)]
            answers = _answers(agent)
            assert len(answers) == len(calls)
            assert Counter(map(repr, valid)) == Counter(
                repr(one) for one in answers if one is not None
            ) + Counter(repr(None) for one in valid if one is None)
            await _goes_on(agent)

    run_virtually(main)


LINES = st.lists(
    st.builds(
        lambda number, method, params, meta: json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}}
        ).encode(),
        st.integers(0, 99) | st.text(max_size=3),
        METHOD,
        PARAMS,
        JSON | st.fixed_dictionaries({"sessionId": st.just("x"), "systemPrompt": JSON, "requestId": JSON}),
    )
    | st.builds(lambda value: json.dumps(value).encode(), JSON)
    | st.builds(
        lambda depth, bracket: bracket * depth,
        st.integers(1, 5_000),
        st.sampled_from([b"[", b'{"a":', b'{"id":1,"params":[']),
    )
    | st.builds(
        lambda size: b'{"id":1,"method":"session/prompt","params":{"prompt":"' + b"x" * size + b'"}}',
        st.integers(0, 300_000),
    )
    | st.binary(max_size=50),
    max_size=8,
)


@pytest.mark.usefixtures("in_memory")
@FUZZ
@given(
    lines=LINES,
    cuts=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 200)), max_size=3),
    piece=st.integers(1, 4096),
)
def test_lines_that_are_cut_joined_or_split(
    lines: list[bytes], cuts: list[tuple[int, int]], piece: int
) -> None:
    """Whatever bytes arrive, complete requests are answered once, and the connection keeps working."""
    for which, at in cuts:
        if which < len(lines):
            lines[which] = lines[which][:at]
    stream = b"\n".join(lines) + b"\n"
    buffer = LineBuffer(LONGEST_LINE)
    received: list[Line] = []
    for start in range(0, len(stream), piece):
        received += buffer.feed(stream[start : start + piece])
    expected = [number for line in received if (number := _request_id(line)) is not _NONE]

    async def main() -> None:
        async with harness() as agent:
            for line in received:
                agent.send_line(line)
            await anyio.sleep(SETTLE_SECONDS)
            answers = Counter(map(repr, _answers(agent)))
            assert not Counter(map(repr, expected)) - answers
            await _goes_on(agent)

    run_virtually(main)


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"session/list"}]',
        b"1",
        b"null",
        b'"text"',
        b"{",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id":1,"method":5}',
        b'{"id":1.5,"method":"session/list"}',
        b'{"id":{},"method":"session/list"}',
        b'{"id":true,"method":"session/list"}',
        b'{"id":1,"method":"session/list","params":[]}',
        b'{"id":1,"method":"session/list","params":' + b"9" * 5000 + b"}",
        b'{"id":1,"method":"session/list","params":{"a":NaN}}',
        json.dumps({"id": "\ud800", "method": "session/list"}).encode(),
        json.dumps(
            {"id": 1, "method": "session/prompt", "params": {"sessionId": "x", "_meta": {"sessionId": "y"}}}
        ).encode(),
        OversizeLine(2**30, b"{", b"}"),
    ],
)
def test_a_bad_line_is_answered_and_the_next_one_too(line: Line) -> None:
    async def main() -> None:
        async with harness() as agent:
            agent.send_line(line)
            await anyio.sleep(SETTLE_SECONDS)
            (first,) = agent.frames
            assert "result" in first or first["error"]["code"] in {-32700, -32600, -32602, -32002}
            await _goes_on(agent)

    run_virtually(main)


_NONE = object()


def _request_id(line: Line) -> object:
    """The id of a line that is a request with parameters; `_NONE` for any other line."""
    try:
        value = json.loads(bytes(line)) if not isinstance(line, OversizeLine) else None
    except (ValueError, RecursionError):
        return _NONE
    match value:
        case {"id": number, "method": str()} if _is_id(number):
            return number
        case _:
            return _NONE


def _is_id(value: object) -> bool:
    return value is None or (isinstance(value, int | str) and not isinstance(value, bool))


def _answers(agent: Harness) -> list[Any]:
    return [frame["id"] for frame in agent.frames if "method" not in frame]


async def _goes_on(agent: Harness) -> None:
    agent.send({"id": "last", "method": "session/list", "params": {}})
    await anyio.sleep(SETTLE_SECONDS)
    assert agent.frames[-1].get("id") == "last"
    assert "result" in agent.frames[-1]
