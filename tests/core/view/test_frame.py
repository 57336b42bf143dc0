import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.view.frame import framed, looks_like, wrapped

# The columns that the widest of glibc 2.36, wcwidth 0.2.14 and terminals that show ambiguous characters
# wide give to characters which others, or earlier versions of Unicode, take for narrower.
COLUMNS = {
    "a": 1,
    " ": 1,
    "…": 2,
    "│": 2,
    "漢": 2,
    "\u0915": 1,  # a Devanagari letter
    "\u093e": 1,  # a spacing mark
    "\u0301": 0,  # an accent
    "\u2764": 1,  # a heart, which
    "\ufe0f": 1,  # is wide as an emoji
    "\u2630": 2,  # a trigram: wide since Unicode 16
    "\U0001d360": 2,  # a counting rod: wide since Unicode 16
    "\u4dc0": 2,  # a hexagram: wide since Unicode 16
    "\U0001f1e9": 2,  # a letter of a flag
}
LINES = st.text(st.sampled_from([*COLUMNS]), max_size=400)


def columns_of(row: str) -> int:
    return sum(COLUMNS.get(character, 1) for character in row)


@given(LINES, st.integers(20, 200))
def test_rows_of_a_question_fit_every_terminal(line: str, columns: int) -> None:
    rows = [*framed([line], "? ", columns)]
    assert all(row.startswith("? ") and columns_of(row) <= columns for row in rows)
    assert (
        "".join(row.removeprefix("? ").removeprefix("… " * (number > 0)) for number, row in enumerate(rows))
        == line
    )


@given(LINES, st.integers(20, 200))
def test_rows_of_other_text_fit_every_terminal(line: str, columns: int) -> None:
    assert all(columns_of(row) <= columns for row in wrapped(line, columns).split("\n"))


@pytest.mark.parametrize("mark", ["?", "？", "﹖", "⁇", "ʔ", "Ɂ", "Ꭾ", "❓"])  # noqa: RUF001 - they are to look alike
def test_a_look_alike_of_the_mark_counts_as_the_mark(mark: str) -> None:
    assert looks_like(f"{mark} Run this command?", "?")
    assert not looks_like(f"a{mark}", "?")
