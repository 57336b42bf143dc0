"""Compaction: the model writes a summary, which takes the place of the history."""

from collections.abc import Sequence
from uuid import uuid4

from code_core.errors import ContextWindowExceeded, TurnError
from code_core.protocol.events import EventMsg, EventOrder, StreamError, TokenCount
from code_core.protocol.items import InputImage, InputText, Message, ResponseItem
from code_core.protocol.session_events import ContextCompacted
from code_core.session.conversation_history import HistoryItem, estimated_tokens
from code_core.session.history import normalised
from code_core.session.reporter import Reporter
from code_core.session.sampling import Response, sample
from code_core.session.session import INTERRUPTED_TAG, Session, user_note
from code_core.session.tasks.task import Report
from code_core.session.told_context import ENVIRONMENT_TAG, INSTRUCTIONS_TAG
from code_core.wire.prompt import Prompt

FULL = 0.85
"""The part of the window from which on a request is preceded by a compaction."""
KEPT_TOKENS = 20_000
"""So many tokens of the user's own messages stay as they are, the newest first."""
MOST_ATTEMPTS = 8

SUMMARY_TAG = "<session_summary>"
ENGINE_TAGS = (
    ENVIRONMENT_TAG,
    INSTRUCTIONS_TAG,
    SUMMARY_TAG,
    INTERRUPTED_TAG,
    "<stream_interrupted>",
    "<user_shell_command>",
    "<files_restored>",
    "<code_review>",
)
"""How messages begin that stand in the user's place but are not the user's."""

INSTRUCTIONS = (
    "You hand your work over to another engineer who has not seen this conversation. Write what they need to "
    "go on without asking: the goal and the user's wishes, decisions and why, what is done and how it was "
    "checked, files and commands that matter, what failed, what comes next. Be precise with names, paths and "
    "numbers. Call no tools; answer with the summary alone."
)
HANDOVER = Message(
    role="user", content=[InputText(text="Summarise the conversation above, as your instructions say.")]
)
OUTPUT_HINT = "The conversation so far was summarised to save space. The user's messages above are verbatim."


def is_full(session: Session) -> bool:
    """Whether the next request would take 85 % of the model's window; False where the window is not known."""
    window = session.settings.capabilities.context_window
    return window is not None and session.totals.next_request(session.history.tokens) >= FULL * window


def can_compact(session: Session) -> bool:
    """Whether the history holds more than what a compaction keeps: something of the model or of a tool."""
    return any(
        not (isinstance(one.item, Message) and one.item.role == "user") for one in session.history.items
    )


async def compact(session: Session, report: Report, *, automatic: bool) -> None:
    """Replace the history by a summary, the user's messages, and what the model must know of its surroundings.

    Raises:
        ModelError: the model could not be asked.
        TurnError: it wrote no summary; the history is what it was.
    """
    before = session.history.tokens
    summary = await _summary(session, report)
    window = session.settings.capabilities.context_window
    # More than a quarter of a small window would leave it full, and every request would compact again.
    room = KEPT_TOKENS if window is None else min(KEPT_TOKENS, window // 4)
    kept = kept_messages(session.history.items, room)
    session.told.forget()
    told = await session.told.news(session.config, session.settings)
    news = [HistoryItem(f"note_{uuid4().hex}", message, report.turn_id) for message in told.messages]
    note = user_note(f"{SUMMARY_TAG}\n{OUTPUT_HINT}\n\n{summary}\n</session_summary>", report.turn_id)
    await session.history.replace([*news, *kept, note], summary, *session.notes_to_resume())
    session.totals.history_replaced()
    after = session.history.tokens
    await report.emit(ContextCompacted(before=before, after=after, automatic=automatic, summary=summary))


async def _summary(session: Session, report: Report) -> str:
    """What the model writes; where its window is too small for all, the oldest items are left out."""

    async def emit(msg: EventMsg, order: EventOrder | None = None) -> None:
        if isinstance(msg, TokenCount | StreamError):  # the summary itself is not an answer to the user
            await report.emit(msg, order)

    model = session.settings.capabilities
    reporter = Reporter(emit, session.totals, model.context_window)
    items = session.history.model_items()
    for attempt in range(MOST_ATTEMPTS):
        so_far = without_images(items) if attempt else items
        response = Response()

        def prompt_after(finished: Sequence[ResponseItem], so_far: Sequence[ResponseItem] = so_far) -> Prompt:
            return Prompt(
                settings=model.settings,
                conversation_id=session.id,
                instructions=INSTRUCTIONS,
                input=[*normalised(so_far), HANDOVER, *finished],
            )

        try:
            await sample(session.services.client, prompt_after, response, reporter)
        except ContextWindowExceeded:
            if attempt == MOST_ATTEMPTS - 1 or len(items) < 2:
                raise
            items = trimmed(items)
            continue
        if text := (response.message or "").strip():
            return text
        raise TurnError("the model wrote no summary: the conversation stays as it is, try again")
    raise AssertionError("the last attempt returns or raises")


def trimmed(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """`items` without the oldest ones, a quarter of all by their size and at least one."""
    goal = estimated_tokens(items) // 4
    dropped = 0
    for index, item in enumerate(items[:-1]):
        dropped += estimated_tokens([item])
        if dropped >= goal:
            return list(items[index + 1 :])
    return list(items[1:])


def without_images(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """`items` with a note in the place of each image of the user."""
    result: list[ResponseItem] = []
    for item in items:
        if isinstance(item, Message) and any(isinstance(part, InputImage) for part in item.content):
            parts = [
                InputText(text="[an image]") if isinstance(part, InputImage) else part
                for part in item.content
            ]
            result.append(item.model_copy(update={"content": parts}))
        else:
            result.append(item)
    return result


def kept_messages(items: Sequence[HistoryItem], room: int = KEPT_TOKENS) -> list[HistoryItem]:
    """The user's own messages as they are, at most `room` tokens of them; the oldest go first."""
    kept: list[HistoryItem] = []
    for one in reversed(items):
        if not is_users_own(one.item):
            continue
        room -= estimated_tokens([one.item])
        if room < 0:
            break
        kept.append(one)
    kept.reverse()
    return kept


def is_users_own(item: ResponseItem) -> bool:
    """Whether `item` is what the user wrote, and not a note of the engine's."""
    return isinstance(item, Message) and item.role == "user" and not item.text.startswith(ENGINE_TAGS)
