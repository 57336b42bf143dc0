"""The history after a compaction, and what the user and the journal learn about it."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import RequestRefused, TurnError
from code_core.protocol.items import InputImage, InputText, Message
from code_core.protocol.session_events import ContextCompacted
from code_core.session.compaction.compact import can_compact, compact, leave_out_images
from code_core.session.compaction.images import MOST_IMAGES
from code_core.session.events.log import EventLog
from code_core.session.history.engine_notes import STATE_TAG, SUMMARY_TAG
from code_core.session.history.history import HistoryItem
from code_core.session.history.shown_context import ENVIRONMENT_TAG
from code_core.session.parts import Parts, make_session
from code_core.session.session import Session
from code_core.session.stored.restore import SessionState
from code_core.session.tasks.task import Report
from code_core.store.entries import Compacted, EventEntry, TurnContext
from code_core.store.journal import MemoryJournal
from core.session.histories import LONG, call, history, model, output, user
from core.session.scripted import ScriptedModel, answer

PATCHED = "Success. Updated the following files:\nM a.py\n"
REFUSED = RequestRefused("no quota left")


def session_of(
    config: Config, items: list[HistoryItem], client: ScriptedModel, journal: MemoryJournal | None = None
) -> Session:
    return make_session(config, client, Parts(journal=journal), SessionState(items=tuple(items)))


def compacted(session: Session, *, automatic: bool = True) -> list[Any]:
    """The events of a compaction."""

    async def main() -> list[Any]:
        log = EventLog()
        reader = log.reader()
        with anyio.fail_after(10):
            await compact(session, Report("1", "turn_a", log), automatic=automatic)
        log.close()
        return [event.msg async for event in reader if event.msg.type != "token_count"]

    return anyio.run(main)


def outline(session: Session) -> list[str]:
    """The beginnings of the items."""
    names = []
    for one in session.history.items:
        text = getattr(one.item, "text", "") or getattr(one.item, "call_id", "") or one.item.type
        names.append(str(text).split("\n", maxsplit=1)[0][:24])
    return names


PLAN = (call(1, "update_plan"), output(1, "Plan updated"))
WORK = history(
    user("my goal"), *PLAN, call(2), output(2, PATCHED), model(LONG), user("my last words"), call(3),
    output(3, LONG * 8), call(4), output(4, "done"),
)  # fmt: skip


@pytest.mark.parametrize("automatic", [True, False])
def test_the_summary_is_between_the_users_messages_and_the_tail(config: Config, automatic: bool) -> None:
    journal = MemoryJournal()
    session = session_of(config, WORK, ScriptedModel(answer("what was done")), journal)
    before = session.history.tokens
    seen = compacted(session, automatic=automatic)
    assert outline(session) == [
        ENVIRONMENT_TAG, "my goal", "my last words", SUMMARY_TAG, "c1", "c1", STATE_TAG, "c4", "c4",
    ]  # fmt: skip
    assert "\n\nwhat was done\n</session_summary>" in getattr(session.history.items[3].item, "text", "")
    assert "Changed so far: a.py" in getattr(session.history.items[6].item, "text", "")
    assert {one.turn_id for one in session.history.items[:1]} == {"turn_a"}
    assert session.history.items[3].turn_id == session.history.items[6].turn_id == "turn_a"
    after = session.history.tokens
    assert seen == [
        ContextCompacted(before=before, after=after, automatic=automatic, summary="what was done")
    ]
    replaced = next(index for index, one in enumerate(journal.entries) if isinstance(one, Compacted))
    rest = journal.entries[replaced + 1 :]
    assert any(isinstance(one, TurnContext) for one in rest)  # a resume needs it
    assert any(isinstance(one, EventEntry) and one.name == "token_count" for one in rest)


def test_earlier_token_counts_no_longer_apply(config: Config) -> None:
    session = session_of(config, WORK, ScriptedModel(answer("what was done")))
    session.totals.note_overflow(40_000)
    compacted(session)
    assert session.totals.window(None) is None


def test_without_a_summary_the_oldest_items_are_dropped_with_a_warning(config: Config) -> None:
    config = replace(config, preferences=replace(config.preferences, context_window=12_000))
    session = session_of(config, WORK, ScriptedModel([REFUSED]))
    event, warning = compacted(session)
    assert (event.summary, event.automatic) == ("", True)
    assert event.after < event.before
    assert warning.message == (
        "the conversation was shortened without a summary, because the model wrote none: no quota left"
    )
    names = outline(session)
    assert SUMMARY_TAG not in names
    assert {"my goal", "my last words", STATE_TAG, "c4"} <= {*names}


def test_a_requested_compaction_fails_without_a_summary(config: Config) -> None:
    session = session_of(config, WORK, ScriptedModel([REFUSED]))
    with pytest.raises(RequestRefused):
        compacted(session, automatic=False)
    assert list(session.history.items) == WORK
    session = session_of(config, WORK, ScriptedModel(answer(" ")))
    with pytest.raises(TurnError):
        compacted(session, automatic=False)


def tokens_after(config: Config, **totals: int) -> int:
    """The history's size after a compaction that keeps much of what the user wrote."""
    items = history(*(user(f"{number} " + "w" * 4_000) for number in range(20)), model(LONG), model("so"))
    session = session_of(config, items, ScriptedModel(answer("s" * 100_000)))
    for name, value in totals.items():
        setattr(session.totals, name, value)
    compacted(session)
    return session.history.tokens


def test_the_fixed_part_of_requests_reduces_the_room_for_the_history(config: Config) -> None:
    config = replace(config, preferences=replace(config.preferences, context_window=30_000))
    plain, less = tokens_after(config), tokens_after(config, overhead=6_000)
    assert plain <= 30_000 * 0.6
    assert less <= plain - 3_000


def test_a_model_with_an_unknown_window_has_much_room(config: Config) -> None:
    unknown = replace(config, model="unknown")
    assert tokens_after(unknown) > 20_000


def test_project_instructions_take_room_too(config: Config) -> None:
    config = replace(config, preferences=replace(config.preferences, context_window=30_000))
    items = history(
        user(f"{ENVIRONMENT_TAG} " + "e" * 24_000),
        *(user(f"{number} " + "w" * 4_000) for number in range(20)), model(LONG), model("so"),
    )  # fmt: skip
    session = session_of(config, items, ScriptedModel(answer("s" * 100_000)))
    compacted(session)
    assert session.history.tokens <= 30_000 * 0.6 - 5_000
    assert outline(session).count(ENVIRONMENT_TAG) == 1


def test_a_long_summary_does_not_displace_the_users_messages(config: Config) -> None:
    config = replace(config, preferences=replace(config.preferences, context_window=2_000))
    session = session_of(config, WORK, ScriptedModel(answer("s" * 100_000)))
    compacted(session)
    names = outline(session)
    assert {"my goal", "my last words", SUMMARY_TAG, "c4"} <= {*names}


def test_if_everything_is_too_long_the_order_of_the_parts_is_kept(config: Config) -> None:
    config = replace(config, preferences=replace(config.preferences, context_window=1_000))
    words = user("my goal " + LONG), user("between " + "m" * 100), user("my last words " + LONG)
    items = history(words[0], *PLAN, model(LONG), *words[1:], call(9), output(9, LONG))
    session = session_of(config, items, ScriptedModel(answer("s" * 100_000)))
    session.totals.overhead = 330
    compacted(session)
    names = [name[:7] for name in outline(session)]
    assert names == ["<enviro", "my goal", "between", "my last", "<sessio", "c1", "c1", "c9", "c9"]


@pytest.mark.parametrize(
    ("items", "can"),
    [([], False), ([user("a")], False), ([user("a"), model("b")], True), ([call(1)], True)],
)
def test_only_items_that_the_user_did_not_write_can_be_summarised(
    config: Config, items: list[Any], can: bool
) -> None:
    assert can_compact(session_of(config, history(*items), ScriptedModel())) is can


def test_older_images_are_left_out_with_a_warning(config: Config) -> None:
    journal = MemoryJournal()
    shown = Message(role="user", content=[InputText(text="see"), InputImage(image_url="data:x")])
    session = session_of(config, history(*[shown] * (MOST_IMAGES + 1)), ScriptedModel(), journal)
    session.totals.note_overflow(40_000)

    async def main() -> list[Any]:
        log = EventLog()
        reader = log.reader()
        await leave_out_images(session, Report("1", "turn_a", log))
        log.close()
        return [event.msg async for event in reader]

    before = session.history.tokens
    event, word = anyio.run(main)
    assert event == ContextCompacted(before=before, after=session.history.tokens, automatic=True, summary="")
    assert "older images" in word.message
    assert len(session.history.image_sizes) == MOST_IMAGES // 2
    assert session.totals.window(None) is None
    assert [type(one).__name__ for one in journal.entries][:2] == ["Compacted", "TurnContext"]
