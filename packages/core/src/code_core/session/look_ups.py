"""Read-only operations, answered with at most one event."""

from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from code_core.protocol.events import EventMsg
from code_core.protocol.ops import (
    AddToHistory,
    GetHistoryEntryRequest,
    ListCustomPrompts,
    ListTerminals,
    McpQuery,
)
from code_core.protocol.session_events import GetHistoryEntryResponse

if TYPE_CHECKING:
    from pathlib import Path

    from code_core.protocol.question_events import ListCustomPromptsResponse
    from code_core.session.session import Session

LookUp = ListTerminals | McpQuery | ListCustomPrompts | AddToHistory | GetHistoryEntryRequest


async def look_up(session: "Session", op: LookUp) -> EventMsg | None:
    """Return the answer, if there is one.

    Raises:
        StoreError: the log of user input is unusable.
    """
    stored = session.services.stored
    match op:
        case ListTerminals():
            return session.services.terminals.listing()
        case McpQuery():
            return await session.services.servers.answer(op)
        case ListCustomPrompts():
            return await anyio.to_thread.run_sync(partial(_prompts, session.config.home.path))
        case AddToHistory(text=text):
            if stored is not None:
                await stored.remember(text)
            return None
        case GetHistoryEntryRequest():
            if stored is not None:
                return await stored.typed(op)
            return GetHistoryEntryResponse(log_id=0, offset=0, count=0)


def _prompts(home: "Path") -> "ListCustomPromptsResponse":
    from code_core.context.custom_prompts import FOLDER, custom_prompts
    from code_core.protocol.question_events import CustomPromptInfo, ListCustomPromptsResponse

    found = custom_prompts(home)
    prompts = [
        CustomPromptInfo(
            name=one.name,
            path=home / FOLDER / f"{one.name}.md",
            description=one.description,
            argument_hint=one.hint,
            content=one.text,
        )
        for one in found.prompts
    ]
    return ListCustomPromptsResponse(custom_prompts=prompts, warnings=list(found.warnings))
