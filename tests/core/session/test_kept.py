"""How a history is split: the user's words, the plan, and the unchanged end."""

import pytest

from code_core.protocol.items import CustomToolCall, FunctionCallOutput
from code_core.session.compaction.budget import Budget
from code_core.session.compaction.kept import kept_of, kept_words, rounds_of
from core.session.histories import LONG, call, history, model, output, shape, size, user

WIDE = Budget(total=100_000, words=10_000, summary=10_000, tail=10_000, state=10_000)


def test_a_round_is_a_response_with_its_outputs_or_a_message() -> None:
    items = history(
        user("a"), model("b"), call(1), call(2), output(1, ""), output(2, ""), model("c"), user("d")
    )
    assert [shape(group) for group in rounds_of(items)] == [
        ["i0"],
        ["i1", "i2", "i3", "i4", "i5"],
        ["i6"],
        ["i7"],
    ]


def test_a_response_that_begins_with_a_message_is_one_round() -> None:
    assert [shape(group) for group in rounds_of(history(model("b"), call(1), output(1, "")))] == [
        ["i0", "i1", "i2"]
    ]


def test_short_user_messages_are_all_kept_in_order() -> None:
    for count in range(6):
        words = history(*(user(f"word {number}") for number in range(count)))
        assert kept_words(words, 1_000) == words


@pytest.mark.parametrize(("missing", "left"), [(0, ["i0", "i2", "i3", "i4"]), (1, ["i0", "i3", "i4"])])
def test_the_newest_of_the_other_messages_fill_the_room(missing: int, left: list[str]) -> None:
    words = history(user("first"), user("x" * 400), user("y" * 400), user("z" * 400), user("last"))
    room = size([words[0], *words[2:]]) - missing
    assert shape(kept_words(words, room)) == left


def test_a_single_message_may_take_the_whole_room() -> None:
    words = history(user("x" * 400))
    assert kept_words(words, size(words)) == words


@pytest.mark.parametrize(("missing", "tail"), [(0, ["i2", "i3", "i4", "i5"]), (1, ["i4", "i5"])])
def test_the_tail_has_as_many_rounds_as_fit(missing: int, tail: list[str]) -> None:
    items = history(*(part for number in (1, 2, 3) for part in (call(number), output(number, "done"))))
    kept = kept_of(items, Budget(1_000, words=100, summary=0, tail=size(items[2:]) - missing, state=0))
    assert shape(kept.tail) == tail
    assert kept.older + kept.tail == items


def test_a_last_round_that_just_fits_is_not_cut() -> None:
    items = history(call(1), output(1, LONG))
    kept = kept_of(items, Budget(2_000, words=100, summary=0, tail=size(items), state=0))
    assert kept.tail == items


def test_user_messages_in_the_tail_may_take_half_of_the_room_for_messages() -> None:
    items = history(user(LONG))
    kept = kept_of(items, Budget(2_000, words=200, summary=0, tail=50, state=0))
    assert 90 < size(kept.tail) <= 100


def test_a_last_round_that_is_too_long_is_cut() -> None:
    patch = CustomToolCall(name="apply_patch", input=LONG, call_id="p")
    items = history(user("do"), call(1, arguments='{"a": "' + LONG + '"}'), patch, output(1, LONG * 3))
    budget = Budget(total=3_000, words=500, summary=500, tail=400, state=100)
    kept = kept_of(items, budget)
    assert size(kept.tail) <= 400
    assert "left_out" in str(kept.tail[0].item)
    assert "left out" in str(kept.tail[1].item)


PLAN = history(call(1, "update_plan"), output(1, "Plan updated"), model("so"), call(2), output(2, LONG))


@pytest.mark.parametrize(("missing", "plan"), [(0, ["i0", "i1"]), (1, [])])
def test_the_last_plan_stays_with_its_output_if_it_is_short(missing: int, plan: list[str]) -> None:
    kept = kept_of(PLAN, Budget(2_000, words=0, summary=0, tail=10, state=size(PLAN[:2]) - missing))
    assert shape(kept.plan) == plan


def test_the_last_plan_with_an_output_is_kept() -> None:
    items = history(
        call(1, "update_plan"), output(1, "one"), call(2, "update_plan"), output(2, "two"),
        call(3, "update_plan"), user("stop"), user("go"),
    )  # fmt: skip
    kept = kept_of(items, Budget(2_000, words=0, summary=0, tail=10, state=1_000))
    assert [one.item.output for one in kept.plan if isinstance(one.item, FunctionCallOutput)] == ["two"]


def test_a_plan_in_the_tail_is_not_kept_twice() -> None:
    assert kept_of(PLAN, WIDE).plan == []
    assert kept_of(PLAN, WIDE).tail == PLAN
