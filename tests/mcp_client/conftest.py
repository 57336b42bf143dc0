from collections.abc import AsyncIterator

import anyio
import pytest

from mcp_client.holdings import Holdings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fails a test that leaves a process, thread, file descriptor or task behind."""
    before = Holdings.now()
    yield
    excess = "?"
    with anyio.move_on_after(5):
        while excess := Holdings.now().beyond(before):  # noqa: ASYNC110 - nothing signals the end of a thread
            await anyio.sleep(0.01)
    assert not excess, excess
