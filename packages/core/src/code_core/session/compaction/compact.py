"""Compacts a session's history with a summary, or by dropping its oldest parts when the model writes none."""

from uuid import uuid4

from code_core.errors import ModelError, TurnError
from code_core.protocol.events import BackgroundEvent, WarningEvent
from code_core.protocol.items import Message
from code_core.protocol.session_events import ContextCompacted
from code_core.session.compaction.budget import Budget, budget_for
from code_core.session.compaction.images import with_fewer_images
from code_core.session.compaction.kept import Kept, kept_of
from code_core.session.compaction.shortening import shortened
from code_core.session.compaction.state import changed_files, state_text
from code_core.session.compaction.summary import summarise
from code_core.session.history.engine_notes import SUMMARY_TAG, begins_with
from code_core.session.history.history import HistoryItem
from code_core.session.history.shown_context import ENVIRONMENT_TAG, INSTRUCTIONS_TAG
from code_core.session.history.sizes import estimated_tokens
from code_core.session.session import Session, user_note
from code_core.session.tasks.task import Report

OUTPUT_HINT = (
    "The conversation so far was summarised to save space. The user's messages above are verbatim, and so is "
    "what follows."
)

UNKNOWN_WINDOW = 128_000
"""Tokens assumed for a model whose context window is unknown."""


def can_compact(session: Session) -> bool:
    """Whether the history holds anything that a compaction would replace, such as model output or tool calls."""
    return any(
        not (isinstance(one.item, Message) and one.item.role == "user") for one in session.history.items
    )


async def compact(session: Session, report: Report, *, automatic: bool) -> None:
    """Replace the history with the user's messages, a summary, the plan, the state and the verbatim tail.

    If an automatic compaction gets no summary from the model, it drops the oldest items instead and
    emits a warning. The history changes only once its replacement is complete.

    Raises:
        ModelError: the model could not be reached during a compaction that the user asked for.
        TurnError: the model wrote no summary, likewise; the history is unchanged.
    """
    before = session.history.tokens
    room = session.totals.window(session.settings.capabilities.context_window) or UNKNOWN_WINDOW
    budget = budget_for(room, before, _context_tokens(session) + session.totals.overhead)
    why, summary = "", ""
    try:
        summary = await summarise(session, report, room, budget.summary)
    except (ModelError, TurnError) as error:
        if not automatic:
            raise
        why = str(error)
    kept = kept_of(session.history.items, budget)
    items = _summarised(kept, summary, budget, report.turn_id) if summary else shortened(kept, budget)
    if (state := _state(session, budget, report.turn_id)) is not None:
        items.insert(len(items) - len(kept.tail), state)
    news = await _news(session, report)
    await session.history.replace([*news, *items], summary, *session.notes_to_resume())
    session.totals.history_replaced()
    after = session.history.tokens
    await report.emit(ContextCompacted(before=before, after=after, automatic=automatic, summary=summary))
    if why:
        message = f"the conversation was shortened without a summary, because the model wrote none: {why}"
        await report.emit(WarningEvent(message=message))


async def leave_out_images(session: Session, report: Report) -> None:
    """Replace older images in the history with notes."""
    before = session.history.tokens
    items = with_fewer_images(session.history.items)
    await session.history.replace(items, "", *session.notes_to_resume())
    session.totals.history_replaced()
    after = session.history.tokens
    await report.emit(ContextCompacted(before=before, after=after, automatic=True, summary=""))
    left_out = "older images were removed from the conversation: a request cannot carry more"
    await report.emit(BackgroundEvent(message=left_out))


async def _news(session: Session, report: Report) -> list[HistoryItem]:
    """Context that the model needs again after a compaction, such as the environment and the instructions."""
    session.shown_context.forget()
    news = await session.shown_context.news(
        session.config, session.settings, session.services.terminals.shown()
    )
    return [HistoryItem(f"note_{uuid4().hex}", message, report.turn_id) for message in news.messages]


def _summarised(kept: Kept, summary: str, budget: Budget, turn_id: str) -> list[HistoryItem]:
    note = user_note(f"{SUMMARY_TAG}\n{OUTPUT_HINT}\n\n{summary}\n</session_summary>", turn_id)
    items = [*kept.words, note, *kept.plan, *kept.tail]
    if _tokens(items) <= budget.total:
        return items
    return shortened(Kept([*kept.words, note], [], kept.plan, kept.tail), budget)


def _state(session: Session, budget: Budget, turn_id: str) -> HistoryItem | None:
    files = changed_files(one.item for one in session.history.items)
    text = state_text(files, session.services.terminals.shown(), budget)
    return None if text is None else user_note(text, turn_id)


def _tokens(items: list[HistoryItem]) -> int:
    return estimated_tokens(one.item for one in items)


def _context_tokens(session: Session) -> int:
    """Tokens used by the environment context and the instructions."""
    return estimated_tokens(
        one.item for one in session.history.items if begins_with(one.item, ENVIRONMENT_TAG, INSTRUCTIONS_TAG)
    )
