"""The user's turn: sends queued input to the model, which works until it has answered."""

import os
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import anyio

from code_core.context.instructions import BASE_INSTRUCTIONS
from code_core.context.user_input import user_message
from code_core.protocol.events import UserMessage, WarningEvent
from code_core.protocol.items import FunctionCall, Message
from code_core.protocol.ops import ImageInput, LocalImageInput
from code_core.session.compaction.budget import FULL
from code_core.session.compaction.images import too_many
from code_core.session.history.engine_notes import INTERRUPTED_TAG
from code_core.session.history.history import HistoryItem
from code_core.session.input_queue import QueuedInput
from code_core.session.session import Session
from code_core.session.settings import TurnSettings
from code_core.session.tasks.task import Report
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.lazy_tool_context import LazyToolContext
from code_core.session.turn.limits import TurnLimits
from code_core.session.turn.loop import TurnLoop
from code_core.session.turn.reporter import Reporter
from code_core.store.entries import EventEntry
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import Tool

INTERRUPTED_NOTE = (
    f"{INTERRUPTED_TAG}The user interrupted the turn above. Commands may have run partially; "
    "check before you rely on them.</turn_interrupted>"
)


class TurnTask:
    """See `Task`."""

    kind = "turn"
    interrupted_note = INTERRUPTED_NOTE

    async def run(self, session: Session, report: Report) -> str | None:
        """See `Task.run`."""
        clock = session.clock = TurnClock(session.config.limits.max_wall_seconds)
        turn = _Turn(session, report)
        session.elicitations.begin(report.emit)
        try:
            server_tools = await session.services.servers.tools(report.emit)
            await turn.tell_surroundings()
            await turn.learn_window()
            model = session.settings.capabilities
            limits = TurnLimits(session.config.limits, clock, session.totals)
            limits.check_prices(session.settings.model, model.prices)
            with clock.running(), LazyToolContext(session, report, clock) as tool_context:
                message = await TurnLoop(
                    conversation_id=session.id,
                    turn_id=report.turn_id,
                    instructions=session.config.base_instructions or BASE_INSTRUCTIONS,
                    model=model.settings,
                    limits=limits,
                    client=session.services.client,
                    tools=_with_server_tools(session, server_tools),
                    tool_context=tool_context.get,
                    reporter=turn.reporter(limits),
                    history=session.history,
                    before_request=turn.take_queued,
                    is_full=turn.is_full,
                    make_room=turn.make_room,
                    item_id=report.item_id,
                ).run()
                if (plan := session.open_plan()) is not None:
                    await report.emit(plan)
                return message
            raise AssertionError("the loop returns or raises")
        finally:
            session.elicitations.end()


def _with_server_tools(session: Session, server_tools: Sequence[Tool]) -> ToolRegistry:
    """The session's tools plus those of servers, which go behind a search if they use too much of the window."""
    tools, window = session.services.tools, session.settings.capabilities.context_window
    if not server_tools:
        return tools
    from code_core.tools.tool_search import ToolSearch, deferred

    if not deferred(server_tools, session.config.mcp_tools_share, window):
        return tools.with_tools(server_tools)
    if session.found_tools is None:  # a resumed session may have called some
        called = (one.item.name for one in session.history.items if isinstance(one.item, FunctionCall))
        session.found_tools = dict.fromkeys(called)
    by_name = {tool.name: tool for tool in server_tools}
    return tools.with_search(ToolSearch(by_name, session.found_tools))


class _Turn:
    """Connects the turn loop to its session."""

    def __init__(self, session: Session, report: Report) -> None:
        self._session = session
        self._report = report
        self._schema: dict[str, Any] | None = None
        self._settings: TurnSettings | None = None
        self._known_window: int | None = None

    def reporter(self, limits: TurnLimits) -> Reporter:
        """Return the reporter for the model's output."""
        config, model = self._session.config, self._session.settings.capabilities
        return Reporter(
            emit=self._report.emit,
            totals=self._session.totals,
            context_window=model.context_window,
            prices=model.prices,
            left=limits.left,
            hide_reasoning=config.hide_reasoning,
            show_raw_reasoning=config.show_raw_reasoning,
        )

    async def learn_window(self) -> None:
        """Ask a local server for its model's context window, which may have changed since the last turn."""
        session = self._session
        provider = session.config.provider
        if provider.server is not None:
            from code_core.model.served import served_window

            model = session.settings.model
            window = await served_window(provider, model, os.environ)
            session.settings = session.settings.with_served_window(model, window)

    async def tell_surroundings(self) -> None:
        """Add new context to the history, and the settings to the journal."""
        session = self._session
        context = session.context_entry()
        news = await session.shown_context.news(
            session.config, session.settings, session.services.terminals.shown()
        )
        turn_id = self._report.turn_id
        items = [HistoryItem(f"note_{uuid4().hex}", message, turn_id) for message in news.messages]
        await session.history.add(context, *items)
        for warning in news.warnings:
            await self._report.emit(WarningEvent(message=warning))

    async def take_queued(self) -> dict[str, Any] | None:
        """Take all queued input; return the output schema of the newest input that has one."""
        queue = self._session.queue
        while (entry := queue.first()) is not None:
            message, problems = await _message(entry, self._session)
            if queue.first() is entry:  # not edited or removed in the meantime
                await self._take(entry, message)
                for problem in problems:
                    await self._report.emit(WarningEvent(message=problem))
        return self._schema

    async def _take(self, entry: QueuedInput, message: Message) -> None:
        """Move an entry from the queue to the history, with no cancellation point in between."""
        session = self._session
        session.queue.remove(entry.id)
        session.note_preview(entry)
        try:
            item = HistoryItem(entry.id, message, self._report.turn_id)
            await session.history.add(item, EventEntry.user_message(message.text))
        finally:
            self._schema = entry.output_schema or self._schema
            await self._report.emit(UserMessage(items=list(entry.items), id=entry.id))
            await self._report.emit(session.queue.changed())

    def is_full(self) -> bool:
        """Whether the next request would have too many images or reach 85 % of the model's window, if known."""
        return too_many(self._session.history.image_sizes) or self._has_full_window()

    def _has_full_window(self) -> bool:
        session = self._session
        if session.settings is not self._settings:  # capabilities take time to compute
            self._settings = session.settings
            self._known_window = session.settings.capabilities.context_window
        window = session.totals.window(self._known_window)
        return window is not None and session.totals.next_request(session.history.tokens) >= FULL * window

    async def make_room(self) -> bool:
        """Remove older images, compact the history if it is full, and return whether it was compacted."""
        from code_core.session.compaction.compact import can_compact, compact, leave_out_images

        session, report = self._session, self._report
        if too_many(session.history.image_sizes):
            await leave_out_images(session, report)
        if not self._has_full_window() or not can_compact(session):
            return False
        await compact(session, report, automatic=True)
        return True


async def _message(entry: QueuedInput, session: Session) -> tuple[Message, Sequence[str]]:
    """The input as a message, and problems with parts that cannot be sent; images are checked in a thread."""
    if any(isinstance(item, ImageInput | LocalImageInput) for item in entry.items):
        return await anyio.to_thread.run_sync(user_message, entry.items, session.settings.cwd)
    return user_message(entry.items, session.settings.cwd)
