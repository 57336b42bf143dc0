from difflib import SequenceMatcher
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from code_core.patch.compare import MAX_EDITS, differences
from core.patch.timing import seconds

LINES = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(LINES, LINES)
@settings(max_examples=500)
@example(list("aba"), list("bab"))
def test_lines_outside_the_spans_are_equal_and_spans_do_not_touch(old: list[str], new: list[str]) -> None:
    spans = differences(old, new)
    at = new_at = 0
    for a, b, c, d in [*spans, (len(old), len(old), len(new), len(new))]:
        assert old[at:a] == new[new_at:c]
        at, new_at = b, d
    assert all(before[1] < after[0] and before[3] < after[2] for before, after in pairwise(spans))
    assert all(a < b or c < d for a, b, c, d in spans)


@given(LINES)
def test_equal_texts_have_no_differences(lines: list[str]) -> None:
    assert differences(lines, list(lines)) == []


@given(st.lists(st.sampled_from("ab"), max_size=12), st.lists(st.sampled_from("ab"), max_size=12))
@settings(max_examples=300)
def test_short_texts_without_anchors_get_a_shortest_script(old: list[str], new: list[str]) -> None:
    # Every line occurs twice, so there are no anchors.
    old, new = [line for line in old for _ in range(2)], [line for line in new for _ in range(2)]
    changed = sum(b - a + d - c for a, b, c, d in differences(old, new))
    assert changed == len(old) + len(new) - 2 * longest_common(old, new)


def longest_common(old: list[str], new: list[str]) -> int:
    row = [0] * (len(new) + 1)
    for left in old:
        before = row
        row = [0]
        for column, right in enumerate(new):
            row.append(before[column] + 1 if left == right else max(before[column + 1], row[column]))
    return row[-1]


def test_unique_lines_are_anchors_for_the_others() -> None:
    old = ["{", "a", "}", "{", "b", "}"]
    new = ["{", "a", "}", "{", "c", "}", "{", "b", "}"]
    assert differences(old, new) == [(4, 4, 4, 7)]
    assert differences(list("abcde"), list("xbycz")) == [(0, 1, 0, 1), (2, 2, 2, 3), (3, 5, 4, 5)]


def test_of_reordered_lines_the_longest_increasing_run_is_kept() -> None:
    assert differences(list("abcdefg"), list("efgabcd")) == [(0, 0, 0, 3), (4, 7, 7, 7)]


def test_very_different_texts_differ_as_a_whole() -> None:
    old = ["a", "b"] * MAX_EDITS
    new = ["c", "a", "d"] * MAX_EDITS
    assert differences(["x", *old, "y"], ["x", *new, "y"]) == [(1, 1 + len(old), 1, 1 + len(new))]


def test_work_that_grows_too_much_is_given_up() -> None:
    old, new = ["a", "a", "b", "b"] * 200, ["c", "c", "b", "b", "b"] * 200
    assert sum(b - a for a, b, _, _ in differences(old, new)) <= len(old)
    old, new = ["a", "a"] * 60, ["b", "b"] * 60
    assert differences(old, new) == [(0, 120, 0, 120)]


def test_anchors_are_searched_on_a_bounded_number_of_levels() -> None:
    # Each level has one anchor, in the middle of lines that occur twice.
    old: list[str] = []
    new: list[str] = []
    for level in range(40):
        old, new = [f"x{level}", *old, f"{level}", f"x{level}"], [f"y{level}", *new, f"{level}", f"y{level}"]
    spans = differences(old, new)
    at = new_at = 0
    for a, b, c, d in [*spans, (len(old), len(old), len(new), len(new))]:
        assert old[at:a] == new[new_at:c]
        at, new_at = b, d


@pytest.mark.parametrize(("kinds", "every"), [(97, 100), (300, 50), (2, 7), (9_000, 3), (10**9, 1)])
def test_hostile_texts_take_little_more_time_than_simple_ones(kinds: int, every: int) -> None:
    def work(kinds: int, every: int) -> float:
        old = [str(number * number % kinds) for number in range(12_000)]
        new = [f"new {number}" if number % every == 0 else line for number, line in enumerate(old)]
        return seconds(lambda: differences(old, new))

    assert work(kinds, every) < 60 * work(10**9, 4_000)


def test_anchors_take_linear_time() -> None:
    def work(size: int) -> float:
        old = [str(number) for number in range(size)]
        new = [old[number ^ 1] if number % 100 < 2 else old[number] for number in range(size)]
        return seconds(lambda: differences(old, new))

    assert work(32_000) < 24 * max(work(4_000), 0.002)


def test_plain_edits_get_no_longer_diffs_than_from_the_standard_library() -> None:
    old = [f"line {number % 70}" for number in range(500)]
    new = old[:100] + old[120:300] + ["new"] * 5 + old[300:]
    spans = [
        (a, b, c, d)
        for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
    assert sum(b - a + d - c for a, b, c, d in differences(old, new)) <= sum(
        b - a + d - c for a, b, c, d in spans
    )
