"""What a compaction keeps and leaves out, part by part."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.items import (
    CustomToolCall,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    OutputText,
    ResponseItem,
)
from code_core.session.compaction.budget import Budget, budget_for
from code_core.session.compaction.cutting import AN_IMAGE, cut_item, cut_text
from code_core.session.compaction.kept import kept_of, rounds_of
from code_core.session.compaction.shortening import LEFT_OUT, shortened
from code_core.session.compaction.state import changed_files, state_text
from code_core.session.conversation_history import HistoryItem, estimated_tokens
from code_core.session.engine_notes import STATE_TAG, SUMMARY_TAG
from code_core.session.history import normalised


def user(words: str) -> Message:
    return Message(role="user", content=[InputText(text=words)])


def model(words: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=words)])


def call(number: int, name: str = "work", arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name=name, arguments=arguments, call_id=f"c{number}")


def output(number: int, text: str) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=f"c{number}", output=text)


def history(*items: ResponseItem) -> list[HistoryItem]:
    return [HistoryItem(f"i{number}", item) for number, item in enumerate(items)]


def shape(items: Sequence[HistoryItem]) -> list[str]:
    return [one.id for one in items]


def size(items: Sequence[HistoryItem]) -> int:
    return estimated_tokens(one.item for one in items)


LONG = "x" * 4_000  # 1,000 tokens and 8 around them


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


def test_the_oldest_outputs_go_first_and_the_tail_stays() -> None:
    items = history(user("do"), call(1), output(1, LONG), call(2), output(2, LONG), call(3), output(3, LONG))
    budget = Budget(total=2_200, words=500, summary=500, tail=1_100, state=100)
    kept = shortened(kept_of(items, budget), budget)
    assert shape(kept) == shape(items)
    texts = [one.item.output for one in kept if isinstance(one.item, FunctionCallOutput)]
    assert texts == [LEFT_OUT, LONG, LONG]


def test_images_go_before_outputs() -> None:
    image = Message(role="user", content=[InputText(text="see"), InputImage(image_url="data:x")])
    items = history(image, call(1), output(1, LONG), model("done"))
    budget = Budget(total=1_200, words=500, summary=500, tail=50, state=100)
    kept = shortened(kept_of(items, budget), budget)
    assert AN_IMAGE in str(kept[0].item)
    assert LONG in str(kept[2].item)


def test_then_the_oldest_rounds_go_and_the_users_words_the_summary_and_the_plan_stay() -> None:
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


def test_a_last_round_that_is_too_long_is_cut() -> None:
    patch = CustomToolCall(name="apply_patch", input=LONG, call_id="p")
    items = history(user("do"), call(1, arguments='{"a": "' + LONG + '"}'), patch, output(1, LONG * 3))
    budget = Budget(total=3_000, words=500, summary=500, tail=400, state=100)
    kept = kept_of(items, budget)
    assert size(kept.tail) <= 400
    assert "left_out" in str(kept.tail[0].item)
    assert "left out" in str(kept.tail[1].item)


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


@given(ITEMS, st.integers(300, 3_000))
def test_a_history_fits_has_its_order_and_no_item_twice(items: list[ResponseItem], room: int) -> None:
    whole = history(*items)
    budget = budget_for(room, size(whole))
    kept = shortened(kept_of(whole, budget), budget)
    assert shape(kept) == sorted(set(shape(kept)), key=lambda name: int(name[1:]))
    assert size(kept) <= max(budget.total, 0) + 14 * len(kept)  # what stands around an item cannot be cut
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


def test_what_cannot_be_cut_stays() -> None:
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


@pytest.mark.parametrize(("room", "words"), [(1_000_000, 20_000), (10_000, 2_400), (0, 0)])
def test_the_users_words_have_their_share(room: int, words: int) -> None:
    assert budget_for(room, room).words == words
