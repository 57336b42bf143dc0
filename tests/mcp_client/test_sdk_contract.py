"""The assumptions about the SDK's provisional parts; a new SDK that breaks them fails here first."""

import inspect
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types
import pytest
from mcp.client.session import ClientSession
from mcp.shared.direct_dispatcher import create_direct_dispatcher_pair
from mcp.shared.dispatcher import CallOptions, DispatchContext, Dispatcher, Outbound
from mcp.shared.transport_context import TransportContext

from code_mcp_client import Notification
from code_mcp_client.dispatcher import StdioDispatcher
from code_mcp_client.http_dispatcher import READS, HttpDispatcher
from code_mcp_client.inbound import InboundContext
from code_mcp_client.notifications import ListenedDispatcher


@pytest.mark.parametrize("ours", [StdioDispatcher, HttpDispatcher, InboundContext])
@pytest.mark.parametrize("method", ["send_raw_request", "notify"])
def test_the_outbound_methods_have_the_sdks_signatures(ours: type, method: str) -> None:
    theirs = inspect.signature(getattr(Outbound, method)).parameters
    assert list(inspect.signature(getattr(ours, method)).parameters) == list(theirs)


@pytest.mark.parametrize("ours", [StdioDispatcher, HttpDispatcher, ListenedDispatcher])
def test_the_run_method_has_the_sdks_signature(ours: type) -> None:
    theirs = inspect.signature(Dispatcher.run).parameters
    mine = inspect.signature(ours.run).parameters  # type: ignore[attr-defined]  # all three have it
    assert [(p.name, p.kind, p.default) for p in mine.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]


def test_the_options_of_a_call_are_the_expected_ones() -> None:
    assert set(CallOptions.__annotations__) == {
        "request_id",
        "timeout",
        "cancel_on_abandon",
        "on_progress",
        "resumption_token",
        "on_resumption_token",
        "headers",
    }


def test_a_context_has_everything_that_the_session_uses() -> None:
    wanted = {name for name in vars(DispatchContext) if not name.startswith("_")}
    assert wanted <= set(dir(InboundContext))


def test_the_methods_that_are_repeated_exist() -> None:
    known = {
        model.model_fields["method"].default
        for model in vars(mcp_types).values()
        if isinstance(model, type) and issubclass(model, mcp_types.Request) and "method" in model.model_fields
    }
    assert known >= READS


@pytest.mark.anyio
async def test_the_session_works_on_a_dispatcher_and_listeners_hear_before_it() -> None:
    ours, theirs = create_direct_dispatcher_pair()

    async def answer(
        context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        await context.notify("custom/event", params)
        return {"tools": []}

    async def ignore(
        context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> None:
        raise AssertionError(method)

    dispatcher = ListenedDispatcher(ours)
    async with anyio.create_task_group() as tasks:
        await tasks.start(theirs.run, answer, ignore)
        async with ClientSession(dispatcher=dispatcher) as session:
            heard = dispatcher.listen()
            assert (await session.list_tools()).tools == []
            assert await anext(heard) == Notification("custom/event", None)
        assert [each async for each in heard] == []
        assert [each async for each in dispatcher.listen()] == []
        theirs.close()
