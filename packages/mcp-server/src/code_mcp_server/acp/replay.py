"""Shows a client the complete history of a stored session."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio.to_thread

from code_core.acp.replay import ReplayTranslator
from code_core.store.whole_history import Summary, read_whole_history


async def replay(
    path: Path, translator: ReplayTranslator, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Send the session at `path`, oldest item first, waiting if the client is slow.

    Raises:
        RolloutUnreadable: the file cannot be read.
    """
    for item in await anyio.to_thread.run_sync(read_whole_history, path):
        updates = translator.compacted(item.text) if isinstance(item, Summary) else translator.item(item)
        for update in updates:
            await send(update)
    for update in translator.end():
        await send(update)
