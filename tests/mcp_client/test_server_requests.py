"""The client answers every request of the server."""

import json
from typing import Any

import anyio
import mcp_types
import pytest
from mcp.client.session import ClientRequestContext

from code_mcp_client import ClientCallbacks, McpClient
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

ELICITATION = {
    "message": "Sure?",
    "requestedSchema": {"type": "object", "properties": {}},
    "code_command": ["ls"],
}
SAMPLING = {"messages": [], "maxTokens": 5}


async def ask(client: McpClient, method: str, **arguments: Any) -> list[dict[str, Any]]:
    await client.initialize()
    answers: list[dict[str, Any]] = json.loads(await call(client, "ask", method=method, **arguments))
    return answers


async def test_ping_is_answered() -> None:
    async with scripted("asks") as client:
        [answer] = await ask(client, "ping")
    assert answer["result"] == {}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("roots/list", {}),
        ("elicitation/create", ELICITATION),
        ("sampling/createMessage", SAMPLING),
        ("no/such/method", {}),
        ("elicitation/create", {"message": 1}),
    ],
)
async def test_requests_without_a_handler_are_rejected(method: str, params: dict[str, Any]) -> None:
    async with scripted("asks") as client:
        [answer] = await ask(client, method, params=params)
    assert answer["error"]["code"] < 0
    assert answer["error"]["message"]


async def test_callbacks_answer_and_are_declared_as_capabilities() -> None:
    async def elicit(
        context: ClientRequestContext, params: mcp_types.ElicitRequestParams
    ) -> mcp_types.ElicitResult:
        del context
        return mcp_types.ElicitResult(action="accept", content={"message": params.message})

    async def roots(context: ClientRequestContext) -> mcp_types.ListRootsResult:
        del context
        return mcp_types.ListRootsResult(roots=[])

    async with scripted("asks", callbacks=ClientCallbacks(elicitation=elicit, list_roots=roots)) as client:
        [elicited] = await ask(client, "elicitation/create", params=ELICITATION)
        [listed] = await ask(client, "roots/list")
        capabilities = client._callbacks.capabilities()
    assert elicited["result"] == {"action": "accept", "content": {"message": "Sure?"}}
    assert listed["result"] == {"roots": []}
    assert capabilities.elicitation is not None
    assert capabilities.roots is not None
    assert capabilities.sampling is None


async def test_a_callback_that_fails_is_an_error_for_the_server_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(context: ClientRequestContext) -> mcp_types.ListRootsResult:
        raise ZeroDivisionError("secret")

    async with scripted("asks", callbacks=ClientCallbacks(list_roots=fail)) as client:
        [answer] = await ask(client, "roots/list")
    assert answer["error"] == {"code": -32603, "message": "the client could not answer: ZeroDivisionError"}
    assert "secret" in caplog.text


async def test_many_concurrent_requests_are_answered_or_rejected_as_busy() -> None:
    release = anyio.Event()

    async def roots(context: ClientRequestContext) -> mcp_types.ListRootsResult:
        del context
        await release.wait()
        return mcp_types.ListRootsResult(roots=[])

    async def let_go(client: McpClient) -> None:
        await client.ping()
        release.set()

    async with scripted("asks", callbacks=ClientCallbacks(list_roots=roots)) as client:
        await client.initialize()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_go, client)
            answers = await ask(client, "roots/list", count=100)
    refused = [answer for answer in answers if "error" in answer]
    assert len(answers) == 100
    assert all("client is busy" in answer["error"]["message"] for answer in refused)


async def test_a_cancelled_request_is_not_answered_and_its_callback_is_stopped() -> None:
    stopped = anyio.Event()

    async def roots(context: ClientRequestContext) -> mcp_types.ListRootsResult:
        del context
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        raise AssertionError

    async with scripted("asks", callbacks=ClientCallbacks(list_roots=roots)) as client:
        await client.initialize()
        with anyio.move_on_after(5):
            async with anyio.create_task_group() as tasks:
                arguments = {"method": "roots/list", "cancel": True}
                tasks.start_soon(client.call_tool, "ask", arguments)
                await stopped.wait()
                tasks.cancel_scope.cancel()
        assert stopped.is_set()


async def test_a_callback_may_itself_ask_the_server() -> None:
    async def roots(context: ClientRequestContext) -> mcp_types.ListRootsResult:
        await context.session.send_ping()
        return mcp_types.ListRootsResult(roots=[])

    async with scripted("asks", callbacks=ClientCallbacks(list_roots=roots)) as client:
        [answer] = await ask(client, "roots/list")
    assert answer["result"] == {"roots": []}
