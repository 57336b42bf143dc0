"""Answers of a client that are not JSON-RPC, as errors: whoever asked must not wait for ever.

The SDK drops a message that it cannot read, and with it the answer to a request.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.abc import ObjectReceiveStream
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, ErrorData, JSONRPCError
from pydantic import ValidationError

Item = SessionMessage | Exception


@asynccontextmanager
async def answers_repaired(incoming: Any) -> AsyncIterator[ObjectReceiveStream[Item]]:
    """The messages of `incoming`, with an error in the place of each answer that cannot be read."""
    send, receive = anyio.create_memory_object_stream[Item](0)

    async def relay() -> None:
        with suppress(anyio.BrokenResourceError):  # nobody listens any more
            async with send:
                async for item in incoming:
                    await send.send(_repaired(item))

    async with anyio.create_task_group() as tasks, receive:
        tasks.start_soon(relay)
        yield receive
        tasks.cancel_scope.cancel()


def _repaired(item: Item) -> Item:
    match item:
        case ValidationError():
            messages = (problem["input"] for problem in item.errors(include_url=False))
            answer = next((one for one in messages if isinstance(one, dict)), {})
        case _:
            return item
    match answer:
        case {"id": (int() | str()) as request_id} if "method" not in answer:
            problem = ErrorData(code=INVALID_REQUEST, message="the answer is not a JSON-RPC result or error")
            return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=problem))
        case _:
            return item
