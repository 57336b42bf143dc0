"""Replacements for parts of a session, without processes and files."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import anyio

from code_core.protocol.events import BackgroundEvent, EventMsg
from code_core.protocol.mcp_events import McpListToolsResponse, McpServerStatus
from code_core.protocol.ops import GetHistoryEntryRequest, ListMcpTools, McpQuery
from code_core.protocol.session_events import GetHistoryEntryResponse, TypedEntry
from code_core.session.conversation import Conversation
from code_core.store.errors import StoreError
from code_core.tools.tool import Tool

LISTING = McpListToolsResponse(tools={})


class Servers:
    """Starts immediately, and reports that in both ways. See `ConversationServers`."""

    def __init__(self, *tools: Tool) -> None:
        self._tools = tools
        self.closed = False

    async def connect(
        self, emit: Callable[[EventMsg], Awaitable[None]], report: Callable[[EventMsg], None]
    ) -> None:
        report(McpServerStatus(name="files", status="ready"))
        await emit(BackgroundEvent(message="it has started"))

    async def tools(self, emit: object) -> Sequence[Tool]:
        del emit
        return self._tools

    async def answer(self, query: McpQuery) -> EventMsg:
        assert isinstance(query, ListMcpTools)
        return LISTING

    async def aclose(self) -> None:
        self.closed = True


class Stored:
    """Remembers in memory, unless the disk is full. See `StoredSession`."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.names: list[str | None] = []
        self.texts: list[str] = []
        self.cleaned = anyio.Event()

    async def clean(self) -> None:
        self.cleaned.set()

    async def rename(self, name: str | None) -> None:
        self._check()
        self.names.append(name)

    async def remember(self, text: str) -> None:
        self._check()
        self.texts.append(text)

    async def typed(self, request: GetHistoryEntryRequest) -> GetHistoryEntryResponse:
        self._check()
        entry = TypedEntry(session_id="s", ts=1, text=self.texts[request.offset or 0])
        return GetHistoryEntryResponse(log_id=7, offset=0, count=1, entry=entry)

    def _check(self) -> None:
        if self.full:
            raise StoreError("the disk is full")


def with_parts(conversation: Conversation, **services: Any) -> Conversation:
    conversation.session.services = replace(conversation.session.services, **services)
    return conversation
