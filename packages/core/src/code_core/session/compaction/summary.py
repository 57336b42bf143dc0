"""Asks the model to summarise the history within limits of time and size."""

from collections.abc import Sequence

import anyio

from code_core.errors import ContextWindowExceeded, TurnError
from code_core.protocol.events import EventMsg, EventOrder, StreamError
from code_core.protocol.items import InputText, Message, Reasoning, Refusal, ResponseItem
from code_core.protocol.token_events import TokenCount
from code_core.session.compaction.cutting import cut_item, cut_text, without_images
from code_core.session.history.request_input import normalised
from code_core.session.history.sizes import estimated_tokens
from code_core.session.session import Session
from code_core.session.tasks.task import Report
from code_core.session.turn.reporter import Reporter
from code_core.session.turn.sampling import Response, sample
from code_core.view.durations import duration_text
from code_core.wire.prompt import Prompt

SECONDS = 300.0
"""Time limit for the model."""
MOST_ATTEMPTS = 8
LONGEST_ITEM = 2_000
"""Tokens that the model sees of each history item."""
ROOM = 0.8
"""Share of the window that the history may use in the request for a summary."""

INSTRUCTIONS = (
    "You hand your work over to another engineer who has not seen this conversation. Write what they need to "
    "continue without asking: the goal and the user's wishes, decisions and why, what is done and how it was "
    "checked, files and commands that matter, what failed, what comes next. Be precise with names, paths and "
    "numbers. Call no tools; answer with the summary alone."
)
HANDOVER = Message(
    role="user", content=[InputText(text="Summarise the conversation above, as your instructions say.")]
)


async def summarise(session: Session, report: Report, room: int, most: int) -> str:
    """Return the model's summary, cut to `most` tokens.

    Images, reasoning and the middle of long items are not sent. If the rest exceeds `room` tokens or
    the model's window, the oldest items are left out.

    Raises:
        ModelError: the model could not be reached.
        TurnError: the model wrote no summary, refused, or took too long.
    """
    items = shortened_for_summary(session.history.model_items())
    while estimated_tokens(items) > ROOM * room and len(items) > 1:
        items = trimmed(items)
    try:
        with anyio.fail_after(SECONDS):
            text = await _ask_model(session, report, items)
    except TimeoutError:
        raise TurnError(f"the model wrote no summary within {duration_text(SECONDS)}") from None
    return cut_text(text, most)


def shortened_for_summary(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """Return `items` without reasoning and images, and with the middle of long items left out."""
    return [cut_item(without_images(item), LONGEST_ITEM) for item in items if not isinstance(item, Reasoning)]


def trimmed(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """Return `items` without the oldest quarter by size, and always without the oldest one."""
    goal = estimated_tokens(items) // 4
    dropped = 0
    for index, item in enumerate(items[:-1]):
        dropped += estimated_tokens([item])
        if dropped >= goal:
            return list(items[index + 1 :])
    return list(items[1:])


async def _ask_model(session: Session, report: Report, items: list[ResponseItem]) -> str:
    async def emit(msg: EventMsg, order: EventOrder | None = None) -> None:
        if isinstance(msg, TokenCount | StreamError):  # the summary is not meant for the user
            await report.emit(msg, order)

    model = session.settings.capabilities
    reporter = Reporter(emit, session.totals, model.context_window, model.prices)
    for attempt in range(MOST_ATTEMPTS):
        response = Response()

        def prompt_after(finished: Sequence[ResponseItem], so_far: Sequence[ResponseItem] = items) -> Prompt:
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
        if any(_is_refusal(item) for item in response.items):
            raise TurnError("the model refused to write a summary")
        if text := (response.message or "").strip():
            return text
        raise TurnError("the model wrote no summary")
    raise AssertionError("the last attempt returns or raises")


def _is_refusal(item: ResponseItem) -> bool:
    return isinstance(item, Message) and any(isinstance(part, Refusal) for part in item.content)
