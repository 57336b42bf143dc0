"""The state that results from a journal's entries."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code_core.protocol.items import InputText, Message, OutputText
from code_core.protocol.ops import TextInput
from code_core.session.history.history import HistoryItem
from code_core.session.input_queue import QueuedInput
from code_core.session.session import LONGEST_PREVIEW
from code_core.session.stored.restore import CUT_OFF_NOTE, SessionState
from code_core.session.tasks.turn import INTERRUPTED_NOTE
from code_core.store.entries import Entry, EventEntry, ItemEntry, SessionMeta, TurnContext
from code_core.store.restore import Restored


def message(words: str, role: str = "user", **more: Any) -> ItemEntry:
    kind = "input_text" if role == "user" else "output_text"
    return ItemEntry({"type": "message", "role": role, "content": [{"type": kind, "text": words}], **more})


def event(kind: str, **more: Any) -> EventEntry:
    return EventEntry({"type": kind, **more})


def user(words: str) -> Message:
    return Message(role="user", content=[InputText(text=words)])


def test_the_history_is_restored_with_its_ids() -> None:
    state = SessionState.from_entries(
        [
            SessionMeta({"id": "s1"}),
            message("hello", item_id="a", turn_id="t"),
            message("hi", role="assistant", item_id="b"),
            message("foreign"),
            SessionMeta({"id": "s2"}),
        ]
    )
    assert state.session_id == "s1"
    assert state.items[:2] == (
        HistoryItem("a", user("hello"), "t"),
        HistoryItem("b", Message(role="assistant", content=[OutputText(text="hi")])),
    )
    (foreign,) = state.items[2:]
    assert foreign.id.startswith("item_")
    assert foreign.item == user("foreign")
    assert state.notes == ()
    assert SessionState.from_entries([]).session_id is None


@pytest.mark.parametrize(
    ("more", "failed"), [({}, False), ({"success": True}, False), ({"success": False}, True)]
)
def test_a_failed_call_stays_failed(more: dict[str, bool], failed: bool) -> None:
    output = ItemEntry(
        {"type": "function_call_output", "call_id": "c", "output": "x", "item_id": "o", **more}
    )
    (item,) = SessionState.from_entries([output]).items
    assert item.failed is failed


@pytest.mark.parametrize(
    ("count", "note"),
    [
        (1, "1 item of the history was damaged and left out"),
        (1_200, "1,200 items of the history were damaged and left out"),
    ],
)
def test_damaged_items_are_left_out_and_counted(count: int, note: str) -> None:
    damaged = [ItemEntry({"type": "message", "role": 5})] * count
    state = SessionState.from_entries([*damaged, message("hello")])
    assert [one.item for one in state.items] == [user("hello")]
    assert state.notes == (note,)
    assert state.noted("and more").notes == (note, "and more")


def test_the_newest_name_is_restored() -> None:
    names = [event("session_renamed", name=name) for name in ("first", "second")]
    assert SessionState.from_entries(names).name == "second"
    assert SessionState.from_entries([*names, event("session_renamed", name=None)]).name is None
    assert SessionState.from_entries([event("other", name="none")]).name is None


def test_each_setting_is_restored_separately() -> None:
    recorded = {
        "cwd": "/work",
        "approval_policy": "often",
        "sandbox_policy": {"mode": "read-only"},
        "model": "m",
        "effort": None,
        "summary": "concise",
        "unknown": 1,
    }
    settings = SessionState.from_entries([TurnContext(recorded)]).settings
    assert settings.model_fields_set == {"cwd", "sandbox_policy", "model", "effort", "summary"}
    assert (settings.cwd, settings.model) == (Path("/work"), "m")
    assert settings.approval_policy is None


def test_queued_input_is_restored_without_damaged_entries() -> None:
    items = [{"type": "text", "text": "later"}]
    state = SessionState.from_entries(
        [
            event("input_queued", id="a", items=items, output_schema={"type": "object"}),
            event("input_queued", id="b", items="damaged"),
            event("input_queued", items=items),
            event("input_queued", id="c", items=items, output_schema="damaged"),
        ]
    )
    later = (TextInput(text="later"),)
    assert state.queue == (
        QueuedInput("a", "0", later, {"type": "object"}),
        QueuedInput("c", "0", later, None),
    )
    assert state.input_queue().entries == list(state.queue)
    assert state.without_queue().queue == ()


def test_the_preview_is_the_first_input() -> None:
    first = message("  say \n" + "x" * 300)
    state = SessionState.from_entries(
        [message("<environment_context>x</environment_context>"), message("hi", "assistant"), first]
    )
    assert state.preview == ("say " + "x" * 300)[:LONGEST_PREVIEW]
    assert SessionState.from_entries([]).preview == ""


@pytest.mark.parametrize(
    ("cost", "read"),
    [(0.25, 0.25), (1, 1.0), (0, 0.0), (-1, 0.0), (math.inf, 0.0), (math.nan, 0.0), ("1", 0.0)],
)
def test_the_cost_continues_where_it_was(cost: Any, read: float) -> None:
    assert SessionState.from_entries([event("token_count", info={"total_cost_usd": cost})]).cost_usd == read


@pytest.mark.parametrize(
    ("info", "total"),
    [
        ({"total_token_usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}, 7),
        ({"total_token_usage": {"total_tokens": "many"}}, 0),
        ({"total_token_usage": [7]}, 0),
        ({}, 0),
    ],
)
def test_the_totals_continue_where_they_were(info: dict[str, Any], total: int) -> None:
    assert SessionState.from_entries([event("token_count", info=info)]).usage.total_tokens == total


def test_a_stored_session_is_restored_like_its_entries() -> None:
    items = [dict(message("hello", item_id="a").payload), {"type": "message", "role": 5}]
    queued = event("input_queued", id="q", items=[{"type": "text", "text": "later"}])
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    info = {"total_token_usage": usage, "total_cost_usd": 0.5}
    meta, context = SessionMeta({"id": "s"}), {"model": "m"}
    state = SessionState.from_store(
        Restored(meta, list(items), context, info, (queued,), "t", None, foreign=False, notes=("repaired",)),
        "mine",
    )
    entries = [
        meta,
        *map(ItemEntry, items),
        queued,
        TurnContext(context),
        event("token_count", info=info),
        event("session_renamed", name="mine"),
        EventEntry.task_started("t"),
    ]
    same = SessionState.from_entries(entries)
    assert state == replace(same, notes=("repaired", *same.notes))
    assert (state.session_id, state.preview, state.usage.total_tokens) == ("s", "hello", 7)
    assert (state.cost_usd, state.open_turn) == (0.5, "t")
    assert state.settings.model == "m"
    assert len(state.queue) == len(state.items) == 1
    nameless = Restored(SessionMeta({}), [], {}, None, (), None, None, foreign=False, notes=())
    assert SessionState.from_store(nameless) == SessionState()


@pytest.mark.parametrize(("number", "left"), [(-1, 5), (0, 5), (1, 3), (2, 1), (9, 1)])
def test_a_history_is_cut_before_the_last_inputs(number: int, left: int) -> None:
    context = message("<environment_context>x</environment_context>")
    turns = [message("one"), message("a", "assistant"), message("two"), message("b", "assistant")]
    state = SessionState.from_entries([context, *turns])
    assert state.before_last_inputs(number).items == state.items[:left]


def test_a_history_without_inputs_is_not_cut() -> None:
    state = SessionState.from_entries([message("hello", "assistant")])
    assert state.before_last_inputs(1) == state


def test_an_open_turn_is_cut_with_its_input() -> None:
    state = SessionState.from_entries(
        [EventEntry.task_started("t"), message("one"), message("a", "assistant")]
    )
    assert state.open_turn == "t"
    assert state.before_last_inputs(1).open_turn is None


CALL = ItemEntry({"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"})


@pytest.mark.parametrize("last", [message("go"), CALL])
def test_the_model_learns_that_a_turn_was_cut_off(last: ItemEntry) -> None:
    state = SessionState.from_entries([EventEntry.task_started("t"), last])
    note = state.cut_off_note()
    assert note is not None
    assert note.item == user(CUT_OFF_NOTE)
    assert note.turn_id == "t"
    nameless = replace(state, open_turn="").cut_off_note()
    assert nameless is not None
    assert nameless.turn_id is None


@pytest.mark.parametrize(
    "entries",
    [
        [message("go")],  # the turn has ended
        [EventEntry.task_started("t")],  # it did nothing
        [EventEntry.task_started("t"), message("go"), message("done", "assistant")],
        [EventEntry.task_started("t"), message("go"), message(INTERRUPTED_NOTE)],  # the model knows it
    ],
)
def test_a_completed_turn_leaves_no_note_for_the_model(entries: list[Entry]) -> None:
    assert SessionState.from_entries(entries).cut_off_note() is None
