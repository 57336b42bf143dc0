"""Detecting a server's era, and speaking it."""

import json
import time
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from code_mcp_client import (
    ClientCallbacks,
    InvalidResult,
    McpClient,
    McpClientConfig,
    RequestFailed,
    RequestTimedOut,
)
from code_mcp_client.client import _SPOKEN
from mcp_client.scripted import scripted, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left", "forgetful")]


@pytest.fixture
def forgetful() -> None:
    """Forget the results of earlier tests."""
    _SPOKEN.clear()


def server(kind: str, log: Path | None = None, **config: Any) -> McpClient:
    more = () if log is None else ("--log", str(log))
    return scripted("eras", kind, *more, config=McpClientConfig(**config))


@pytest.mark.parametrize(
    ("kind", "version", "methods", "least"),
    [
        ("modern", "2026-07-28", ["server/discover"], 0),
        ("picky", "2026-07-28", ["server/discover", "server/discover"], 0),
        ("slow modern", "2026-07-28", ["server/discover"], 1.5),
        ("legacy", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"], 0),
        ("odd discovery", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"], 0),
        ("silent", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"], 1),
        ("slow legacy", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"], 1.5),
        ("mortal", "2025-11-25", ["server/discover", "initialize", "notifications/initialized"], 0),
    ],
)
async def test_the_newest_version_that_a_server_speaks_is_found(
    kind: str, version: str, methods: list[str], least: float, tmp_path: Path
) -> None:
    begun = time.perf_counter()
    async with server(kind, tmp_path / "log", startup_timeout=10) as client:
        info = await client.initialize()
        assert least <= time.perf_counter() - begun < least + 3
        assert (info.protocol_version, info.server_info.name) == (version, kind)
        assert client.is_modern == (version == "2026-07-28")
        await client.ping()
        assert (await client.list_tools()).tools == []
        assert text_of(await client.call_tool("echo"))
    seen = [one for one in (tmp_path / "log").read_text().split("\n") if one]
    if kind == "slow modern":  # it also got the handshake while it was silent
        seen = [one for one in seen if one != "initialize"]
    assert seen[: len(methods)] == methods


async def test_a_server_of_the_handshake_era_is_not_probed_twice(tmp_path: Path) -> None:
    for _ in range(2):
        async with server("silent", tmp_path / "log") as client:
            await client.initialize()
    assert (tmp_path / "log").read_text().split().count("server/discover") == 1


@pytest.mark.parametrize(
    ("kind", "version", "error", "text"),
    [
        ("disjoint", "auto", InvalidResult, "speaks only 2031-01-01"),
        ("legacy", "2026-07-28", InvalidResult, "does not speak protocol version 2026-07-28"),
        ("modern", "2025-11-25", RequestFailed, "-32022"),
    ],
)
async def test_no_version_in_common_is_an_error(
    kind: str, version: str, error: type[Exception], text: str
) -> None:
    async with server(kind, protocol_version=version) as client:
        with pytest.raises(error, match=text):
            await client.initialize()


async def test_a_server_that_never_answers_times_out() -> None:
    begun = time.perf_counter()
    async with server("mute", startup_timeout=1.5) as client:
        with pytest.raises(RequestTimedOut, match=r"1\.5 s"):
            await client.initialize()
        assert time.perf_counter() - begun < 3


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    del context
    return types.ElicitResult(action="accept", content={"name": params.message.upper()})


async def test_questions_are_answered_and_the_call_is_repeated() -> None:
    async with scripted("eras", "modern", callbacks=ClientCallbacks(elicitation=elicit)) as client:
        await client.initialize()
        state, answers = json.loads(text_of(await client.call_tool("asks")))
        assert answers is None  # the last round had no questions, only a state
        assert json.loads(state) == {
            key: {"action": "accept", "content": {"name": key.upper()}} for key in ("one", "two")
        }


@pytest.mark.parametrize(
    ("tool", "error", "text"),
    [
        ("asks forever", InvalidResult, "more than 10 times"),
        ("odd", InvalidResult, "unknown type: 'odd'"),
        ("answers in words", InvalidResult, "question 'a' is invalid"),
    ],
)
async def test_too_many_rounds_are_an_error(tool: str, error: type[Exception], text: str) -> None:
    async with scripted("eras", "modern", callbacks=ClientCallbacks(elicitation=elicit)) as client:
        await client.initialize()
        with pytest.raises(error, match=text):
            await client.call_tool(tool)


async def test_a_question_that_nobody_answers_fails_the_call() -> None:
    async with server("modern") as client:
        await client.initialize()
        with pytest.raises(RequestFailed, match="not supported"):
            await client.call_tool("asks")


async def test_a_modern_server_cannot_send_requests() -> None:
    async with scripted("eras", "modern", callbacks=ClientCallbacks(elicitation=elicit)) as client:
        await client.initialize()
        assert text_of(await client.call_tool("server asks")) == "-32601"
