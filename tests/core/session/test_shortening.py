"""What a compaction keeps and drops, part by part."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.items import (
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    ResponseItem,
)
from code_core.session.compaction.budget import Budget, budget_for
from code_core.session.compaction.cutting import AN_IMAGE, cut_item, cut_text
from code_core.session.compaction.kept import Kept, kept_of
from code_core.session.compaction.shortening import LEFT_OUT, shortened
from code_core.session.compaction.state import changed_files, state_text
from code_core.session.history.engine_notes import STATE_TAG, SUMMARY_TAG
from code_core.session.history.history import HistoryItem
from code_core.session.history.request_input import normalised
from core.session.histories import LONG, call, history, model, output, shape, size, user


def test_the_oldest_outputs_are_dropped_first_and_the_tail_is_kept() -> None:
    items = history(user("do"), call(1), output(1, LONG), call(2), output(2, LONG), call(3), output(3, LONG))
    budget = Budget(total=2_200, words=500, summary=500, tail=1_100, state=100)
    kept = shortened(kept_of(items, budget), budget)
    assert shape(kept) == shape(items)
    texts = [one.item.output for one in kept if isinstance(one.item, FunctionCallOutput)]
    assert texts == [LEFT_OUT, LONG, LONG]


def test_images_are_dropped_before_outputs() -> None:
    image = Message(role="user", content=[InputText(text="see"), InputImage(image_url="data:x")])
    items = history(image, call(1), output(1, LONG), model("done"))
    budget = Budget(total=1_200, words=500, summary=500, tail=50, state=100)
    kept = shortened(kept_of(items, budget), budget)
    assert AN_IMAGE in str(kept[0].item)
    assert LONG in str(kept[2].item)


def test_then_the_oldest_rounds_are_dropped_but_user_messages_the_summary_and_the_plan_are_kept() -> None:
    plan = call(1, "update_plan", '{"plan": []}')
    items = history(
        user("goal"), user(f"{SUMMARY_TAG}\nbefore"), plan, output(1, "Plan updated"), *(
            part for n in range(2, 40) for part in (call(n), output(n, "y" * 80))
        ), user("last"), model("bye"),
    )  # fmt: skip
    budget = Budget(total=400, words=100, summary=100, tail=20, state=60)
    kept = shortened(kept_of(items, budget), budget)
    assert size(kept) <= 400
    texts = [getattr(one.item, "text", "") for one in kept]
    assert texts[:2] == ["goal", f"{SUMMARY_TAG}\nbefore"]
    assert "last" in texts
    assert [one.item for one in kept if getattr(one.item, "name", "") == "update_plan"] == [plan]
    assert "c39" in repr(kept)
    assert "c2'" not in repr(kept)


ITEMS = st.lists(
    st.one_of(
        st.builds(user, st.text("ab ", max_size=400)),
        st.builds(model, st.text("ab ", max_size=400)),
        st.builds(lambda words: user(f"{SUMMARY_TAG}{words}"), st.text("ab ", max_size=400)),
        st.integers(0, 5).map(call),
        st.builds(output, st.integers(0, 5), st.text("ab ", max_size=800)),
    ),
    max_size=30,
)


def outputs(items: Sequence[HistoryItem]) -> list[object]:
    return [
        one.item.output for one in items if isinstance(one.item, FunctionCallOutput | CustomToolCallOutput)
    ]


def apart(older: list[HistoryItem]) -> Kept:
    """A history without a tail."""
    return Kept(older, [], [], [])


def test_a_history_that_just_fits_is_not_changed() -> None:
    items = history(user("do " + LONG), call(1), output(1, LONG), model(LONG))
    budget = Budget(total=size(items), words=100, summary=100, tail=100, state=100)
    assert shortened(apart(items), budget) == items
    less = replace(budget, total=size(items) - 1)
    assert outputs(shortened(apart(items), less)) == [LEFT_OUT]


def test_exactly_as_many_outputs_are_left_out_as_needed() -> None:
    items = history(call(1), output(1, LONG), call(2), output(2, LONG), call(3), output(3, LONG))
    saved = 1_000 - len(LEFT_OUT) // 4
    for number in (1, 2, 3):
        for room in (size(items) - number * saved, size(items) - (number - 1) * saved - 1):
            budget = Budget(room, words=100, summary=100, tail=0, state=0)
            left = [LEFT_OUT] * number + [LONG] * (3 - number)
            assert outputs(shortened(apart(items), budget)) == left


def test_outputs_of_all_kinds_are_left_out_but_not_short_ones() -> None:
    short = "=" * len(LEFT_OUT)
    custom = CustomToolCallOutput(call_id="p", output=LONG)
    items = history(call(1), output(1, short), custom, model("so"))
    budget = Budget(size(items) - 900, words=100, summary=100, tail=0, state=0)
    assert outputs(shortened(apart(items), budget)) == [short, LEFT_OUT]


def test_the_last_summary_is_kept_and_cut() -> None:
    summaries = [user(f"{SUMMARY_TAG}\n{name} {LONG}") for name in ("older", "newer")]
    items = history(user("goal"), *summaries, model("y" * 400), model("so"))
    budget = Budget(total=300, words=100, summary=100, tail=0, state=0)
    kept = shortened(apart(items), budget)
    assert shape(kept) == ["i0", "i2", "i3", "i4"]
    assert size(kept[1:2]) <= 100
    assert "newer" in str(kept[1].item)


def test_an_older_summary_does_not_reappear() -> None:
    summaries = [user(f"{SUMMARY_TAG}\n{name}") for name in ("older", "newer")]
    items = history(user("goal"), model(LONG), *summaries, model("so"))
    budget = Budget(total=300, words=100, summary=100, tail=0, state=0)
    assert shape(shortened(apart(items), budget)) == ["i0", "i3", "i4"]


def test_user_messages_that_were_left_out_do_not_reappear_with_their_round() -> None:
    rounds = [part for number in (1, 2) for part in (call(number), output(number, "short"))]
    items = history(user("first"), model(LONG), user("y" * 400), user("last"), *rounds)
    budget = Budget(total=400, words=60, summary=100, tail=0, state=0)
    assert shape(shortened(apart(items), budget)) == ["i0", "i3", "i4", "i5", "i6", "i7"]


@pytest.mark.parametrize(("missing", "left"), [(0, ["i0", "i3", "i4", "i5", "i6"]), (1, ["i0", "i5", "i6"])])
def test_the_newest_rounds_fill_the_room(missing: int, left: list[str]) -> None:
    rounds = [part for number in (1, 2, 3) for part in (call(number), output(number, "short"))]
    items = history(user("goal"), *rounds)
    total = size([items[0], *items[3:]]) - missing
    budget = Budget(total=total, words=60, summary=100, tail=0, state=0)
    assert shape(shortened(apart(items), budget)) == left


@given(ITEMS, st.integers(300, 3_000))
def test_a_shortened_history_fits_and_keeps_its_order_without_duplicates(
    items: list[ResponseItem], room: int
) -> None:
    whole = history(*items)
    budget = budget_for(room, size(whole))
    kept = shortened(kept_of(whole, budget), budget)
    assert shape(kept) == sorted(set(shape(kept)), key=lambda name: int(name[1:]))
    assert size(kept) <= max(budget.total, 0) + 14 * len(kept)  # what surrounds an item cannot be cut
    normalised([one.item for one in kept])
    own = [
        one for one in whole if getattr(one.item, "role", "") == "user" and SUMMARY_TAG not in str(one.item)
    ]
    assert not own or {own[0].id, own[-1].id} <= set(shape(kept))


@given(st.text(max_size=300), st.integers(0, 100))
def test_a_text_is_cut_in_the_middle(text: str, tokens: int) -> None:
    cut = cut_text(text, tokens)
    assert len(cut) <= max(tokens * 4, 60)
    assert cut == text or "characters left out to save space" in cut


def test_items_that_cannot_be_cut_are_kept() -> None:
    assert cut_item(call(1), 100) == call(1)
    assert cut_item(user("a" * 100), 1_000) == user("a" * 100)


def test_the_state_names_each_changed_file_once_and_the_latest_when_there_are_many() -> None:
    patched = "Success. Updated the following files:\nA new.py\nM old.py\nD gone.py\n\n{}"
    before = user(f"{STATE_TAG}\nChanged so far: first.py\nChanged so far: new.py\n</session_state>")
    files = changed_files([before, output(1, patched), output(2, "M no.py")])
    assert files == ["first.py", "new.py", "old.py", "gone.py"]
    budget = budget_for(10_000, 10_000)
    text = state_text(files, ["1: npm run dev"], budget)
    assert text is not None
    assert text.split("\n")[1:-1] == [
        "Still running: 1: npm run dev",
        *(f"Changed so far: {file}" for file in files),
    ]
    assert changed_files([user(text)]) == files
    assert state_text([], [], budget) is None
    many = state_text([f"file-{number}" for number in range(1_000)], [], budget)
    assert many is not None
    assert "Changed so far: file-999" in many
    assert "file-0\n" not in many
    assert "more" in many
    assert len(many) <= budget.state * 4 + 40


def test_a_file_that_was_changed_again_is_among_the_latest() -> None:
    again = "Success. Updated the following files:\nM first.py"
    before = user(f"{STATE_TAG}\nChanged so far: first.py\nChanged so far: second.py\n</session_state>")
    assert changed_files([before, output(1, again)]) == ["second.py", "first.py"]


def test_other_items_change_no_files() -> None:
    assert changed_files([user("Changed so far: a.py"), call(1), output(1, "M a.py")]) == []


@pytest.mark.parametrize("kind", [FunctionCallOutput, CustomToolCallOutput])
def test_patches_of_all_kinds_change_files(kind: type[FunctionCallOutput | CustomToolCallOutput]) -> None:
    patched = "Success. Updated the following files:\nA new.py\nM old.py"
    assert changed_files([kind(call_id="c", output=patched)]) == ["new.py", "old.py"]


@pytest.mark.parametrize(("length", "line"), [(34, "Still running: " + "x" * 34), (35, "… and 1 more")])
def test_the_state_note_names_as_many_files_as_fit(length: int, line: str) -> None:
    budget = Budget(total=200, words=0, summary=0, tail=0, state=20)
    text = state_text([], ["x" * length], budget)
    assert text is not None
    assert text.split("\n")[1:-1] == [line]


@pytest.mark.parametrize(
    ("room", "history", "fixed", "budget"),
    [
        (10_000, 100_000, 1_000, Budget(5_000, words=2_000, summary=1_000, tail=1_500, state=500)),
        (10_000, 4_000, 1_000, Budget(5_000, words=2_000, summary=1_000, tail=1_000, state=500)),
        (1_000_000, 900_000, 0, Budget(600_000, words=20_000, summary=8_000, tail=10_000, state=2_000)),
        (1_000, 4_000, 2_000, Budget(0, words=0, summary=0, tail=0, state=0)),
    ],
)
def test_each_part_has_its_share_of_the_room(room: int, history: int, fixed: int, budget: Budget) -> None:
    assert budget_for(room, history, fixed) == budget
