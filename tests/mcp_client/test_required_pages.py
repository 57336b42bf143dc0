"""A server that refuses a request until the user has visited its pages."""

import json
import time
from typing import Any

import pytest
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from code_mcp_client import ClientCallbacks, McpClient, RequestFailed, required_pages
from mcp_client.scripted import scripted

pytestmark = pytest.mark.anyio


def pages(*names: str) -> dict[str, Any]:
    """The data of an error that asks for these pages."""
    asked = [
        {
            "mode": "url",
            "elicitationId": name,
            "url": f"https://example.com/{name}",
            "message": f"Open {name}",
        }
        for name in names
    ]
    return {"elicitations": asked}


class User:
    """Opens pages, or does not."""

    def __init__(self, action: Any = "accept") -> None:
        self.action, self.opened = action, []  # type: ignore[var-annotated] # texts

    async def elicit(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        del context
        assert isinstance(params, ElicitRequestURLParams)
        self.opened.append(params.url.rpartition("/")[2])
        return ElicitResult(action=self.action)

    @property
    def callbacks(self) -> ClientCallbacks:
        return ClientCallbacks(elicitation=self.elicit, opens_urls=True)


async def result(client: McpClient, refusals: list[Any], done: list[str], pause: float = 0) -> str:
    await client.initialize()
    arguments = {"pages": json.dumps(refusals), "done": json.dumps(done), "pause": str(pause)}
    called = await client.call_tool("x", arguments)
    return str(called.content[0].text)  # type: ignore[union-attr] # the server's own


@pytest.mark.parametrize("pause", [0, 0.3])
async def test_the_call_is_repeated_when_the_server_is_done_with_its_pages(pause: float) -> None:
    user = User()
    async with scripted("pages", callbacks=user.callbacks) as client:
        begun = time.monotonic()
        assert await result(client, [pages("a", "b")], ["other", "b", "a"], pause) == "after 2 calls"
        assert time.monotonic() - begun < required_pages.SECONDS_TO_VISIT / 2
    assert user.opened == ["a", "b"]


async def test_the_request_is_repeated_even_if_the_server_never_reports_completion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(required_pages, "SECONDS_TO_VISIT", 0.1)
    user = User()
    async with scripted("pages", callbacks=user.callbacks) as client:
        assert await result(client, [pages("a"), pages("a"), pages("a", "b")], []) == "after 4 calls"
    assert user.opened == ["a", "b"]  # a page is asked about once


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_page_that_is_not_opened_fails_with_the_servers_error(action: str) -> None:
    user = User(action)
    async with scripted("pages", callbacks=user.callbacks) as client:
        with pytest.raises(
            RequestFailed, match="open the page first: the user did not open the page"
        ) as failed:
            await result(client, [pages("a", "b")], ["a", "b"])
        assert failed.value.code == -32042
    assert user.opened == ["a"]


async def test_without_a_callback_the_request_fails_with_the_servers_error() -> None:
    async with scripted("pages") as client:
        with pytest.raises(RequestFailed, match="the user did not open the page"):
            await result(client, [pages("a")], ["a"])


async def test_a_server_that_always_wants_more_pages_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(required_pages, "SECONDS_TO_VISIT", 0.01)
    user = User()
    async with scripted("pages", callbacks=user.callbacks) as client:
        with pytest.raises(RequestFailed, match="open the page first"):
            await result(client, [pages(str(number)) for number in range(20)], [])
    assert len(user.opened) == required_pages.MOST_ROUNDS


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        "x",
        {"elicitations": []},
        {"elicitations": [{}]},
        {"elicitations": [{"mode": "form", "message": "x", "requestedSchema": {}}]},
        {"elicitations": [{"mode": "url", "message": "x", "url": 7, "elicitationId": "a"}]},
        pages(*map(str, range(11))),
    ],
)
async def test_an_error_without_pages_is_passed_on(data: Any) -> None:
    user = User()
    async with scripted("pages", callbacks=user.callbacks) as client:
        with pytest.raises(RequestFailed, match="open the page first \\(JSON-RPC error -32042\\)"):
            await result(client, [data], [])
    assert user.opened == []


async def test_prompts_can_require_pages_too() -> None:
    user = User()
    async with scripted("pages", callbacks=user.callbacks) as client:
        await client.initialize()
        arguments = {"pages": json.dumps([pages("a")]), "done": '["a"]'}
        assert (await client.get_prompt("x", arguments)).messages == []
    assert user.opened == ["a"]
