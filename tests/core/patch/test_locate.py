import pytest

from code_core.patch import PatchMatchError, locate
from core.patch.build import apply_to_text, chunk
from core.patch.timing import seconds


def change(original: str, *lines: str, context: tuple[str, ...] = (), end_of_file: bool = False) -> str:
    return apply_to_text(original, [chunk(*lines, context=context, end_of_file=end_of_file)], "f")


@pytest.mark.parametrize(
    ("in_file", "in_patch"),
    [
        ("a = 1", "a = 1"),
        ("a = 1   ", "a = 1"),
        ("a = 1", "a = 1\t"),
        ("a = 1", "    a = 1 "),
        ("a \u2013 \u201cb\u201d\u00a0\u2018c\u2019", "a - \"b\" 'c'"),
        ("a - \"b\" 'c'", "a \u2014 \u201eb\u201f\u3000\u201ac\u201b"),
        ("caf\u00e9 \u2212 x", "caf\u00e9 \u2010 x"),
        ("x\u202fy\u2009z", "x y z"),
        ("a\ufeffb", "ab"),
    ],
)
def test_each_pass_finds_its_kind_of_difference(in_file: str, in_patch: str) -> None:
    assert change(f"top\n{in_file}\nend\n", f"-{in_patch}", "+found") == "top\nfound\nend\n"


@pytest.mark.parametrize("letters", ["caf\u00e9|cafe", "A|a", "a  b|a b", "\u0131|i"])
def test_other_differences_are_differences(letters: str) -> None:
    in_file, in_patch = letters.split("|")
    with pytest.raises(PatchMatchError):
        change(f"{in_file}\n", f"-{in_patch}", "+x")


EXACT, RIGHT, BOTH, FOLDED = "it's", "it's ", " it's ", "it\u2019s"


@pytest.mark.parametrize(
    ("lines", "hit"),
    [
        ([FOLDED, BOTH, RIGHT, EXACT, EXACT], 3),
        ([FOLDED, BOTH, RIGHT, RIGHT], 2),
        ([FOLDED, BOTH, BOTH, FOLDED], 1),
        ([FOLDED, FOLDED], 0),
    ],
)
def test_the_first_hit_of_the_earliest_pass_wins(lines: list[str], hit: int) -> None:
    expected = [*lines[:hit], *lines[hit + 1 :]]
    assert change("".join(f"{line}\n" for line in lines), "-it's") == "".join(
        f"{line}\n" for line in expected
    )


def test_a_pass_applies_to_all_lines_of_a_chunk() -> None:
    # The first candidate matches one line exactly and one roughly: the second pass finds it, the first pass the other.
    assert change("a\nb \na\nb\n", "-a", "-b", "+c") == "a\nb \nc\n"


def test_the_search_continues_after_a_context() -> None:
    text = "def f():\n    return 1\n\ndef g():\n    return 1\n"
    assert change(text, "-    return 1", "+    return 2", context=("def g():",)).endswith(
        "def g():\n    return 2\n"
    )
    assert change(text, "-    return 1", "+    return 2").startswith("def f():\n    return 2\n")


@pytest.mark.parametrize("context", ["def g():", "def g(): ", "  def g():", "def\u00a0g():"])
def test_a_context_is_searched_in_the_same_passes(context: str) -> None:
    assert change("def f():\n 1\ndef g():\n 1\n", "- 1", "+ 2", context=(context,)).endswith("def g():\n 2\n")


@pytest.mark.parametrize("line", ["class A:", "class A(B):", "  class A  # \u2014", "class\u00a0A:"])
def test_a_context_may_be_the_beginning_of_a_line(line: str) -> None:
    text = f" 1\nclass AB:\n 1\n{line}\n 1\n"
    assert change(text, "- 1", "+ 2", context=("class A",)) == text[:-3] + " 2\n"


def test_a_context_may_end_before_a_word_but_not_in_one() -> None:
    assert change("f(x)\nb\n", "-b", context=("f(",)) == "f(x)\n"
    with pytest.raises(PatchMatchError):
        change("fx\nb\n", "-b", context=("f",))


def test_a_whole_line_matches_a_context_before_the_beginning_of_one_does() -> None:
    assert change("f(x)\nb\nf\nb\n", "-b", context=("f",)) == "f(x)\nb\nf\n"


def test_a_context_that_is_the_beginning_of_no_line_further_down_is_missing() -> None:
    with pytest.raises(PatchMatchError, match=r"Failed to find context 'f' in f$"):
        apply_to_text("f(x)\nb\nof\n", [chunk("-b"), chunk("+c", context=("f",))], "f")


def test_nested_contexts_are_searched_one_after_the_other() -> None:
    text = "class A:\n  def f():\n    1\nclass B:\n  def f():\n    1\n"
    assert change(text, "-    1", "+    2", context=("class B:", "  def f():")) == text[:-6] + "    2\n"


def test_a_context_may_also_be_the_first_line_of_its_chunk() -> None:
    text = "def f():\n  1\ndef g():\n  1\n"
    assert (
        change(text, " def g():", "-  1", "+  2", context=("def g():",)) == "def f():\n  1\ndef g():\n  2\n"
    )
    # What follows the context comes first.
    assert change("a\na\nb\n", " a", "-b", context=("a",)) == "a\na\n"


def test_a_context_is_searched_after_the_previous_chunk() -> None:
    chunks = [chunk("-x", context=("f",)), chunk("-x", context=("f",))]
    assert apply_to_text("f\nx\nf\nx\n", chunks, "f") == "f\nf\n"


def test_chunks_are_searched_after_the_previous_one() -> None:
    chunks = [chunk("-x", "+1"), chunk("-x", "+2")]
    assert apply_to_text("x\nx\nx\n", chunks, "f") == "1\n2\nx\n"


def test_an_end_of_file_chunk_matches_only_the_last_lines() -> None:
    assert change("x\ny\nx\n", "-x", "+z", end_of_file=True) == "x\ny\nz\n"
    with pytest.raises(PatchMatchError) as caught:
        change("x\ny\n", "-x", "+z", end_of_file=True)
    assert str(caught.value) == (
        "Failed to find expected lines in f:\nx\n"
        "The patch says *** End of File: they must be the last lines.\nThey are at line 1."
    )


def test_an_end_of_file_chunk_does_not_overlap_the_previous_one() -> None:
    with pytest.raises(PatchMatchError):
        apply_to_text("x\nx\n", [chunk("-x", "-x"), chunk("-x", end_of_file=True)], "f")


def test_an_end_of_file_chunk_longer_than_the_file_is_not_found() -> None:
    with pytest.raises(PatchMatchError):
        change("x\n", "-y", "-x", end_of_file=True)


def test_an_end_of_file_chunk_may_end_with_the_empty_line_that_ends_the_file() -> None:
    assert change("x\ny\nx\n", " y", "-x", "+z", " ", end_of_file=True) == "x\ny\nz\n"


def test_without_old_lines_the_new_ones_are_added_at_the_end() -> None:
    assert change("a\n", "+b") == "a\nb\n"
    assert change("a\n\n", "+b") == "a\nb\n\n"
    assert change("", "+b") == "b\n"
    assert change("a", "+b") == "a\nb\n"
    assert change("a\r\nc", "+b") == "a\r\nc\r\nb\r\n"


def test_without_old_lines_but_with_a_context_the_new_ones_are_added_after_it() -> None:
    assert change("a\nb\n", "+new", context=("a",)) == "a\nnew\nb\n"
    assert change("a\nb\n", "+new", context=("a",), end_of_file=True) == "a\nb\nnew\n"
    chunks = [chunk("+1", context=("a",)), chunk("+2", context=("b",)), chunk("-c")]
    assert apply_to_text("a\nb\nc\n", chunks, "f") == "a\n1\nb\n2\n"


def test_an_addition_at_the_end_does_not_end_the_search() -> None:
    assert apply_to_text("a\nb\n", [chunk("+end"), chunk("-a", "+A")], "f") == "A\nb\nend\n"


def test_an_addition_before_a_last_empty_line_that_changes_too() -> None:
    assert apply_to_text("a\n\n", [chunk("+end"), chunk("-a", "-", "+A", "+B")], "f") == "A\nB\nend\n"
    assert apply_to_text("a\n\n", [chunk("+end"), chunk("-", "+B")], "f") == "a\nend\nB\n"


def test_several_additions_at_the_end_keep_their_order() -> None:
    assert apply_to_text("a\n", [chunk("+b", "+c"), chunk("+d")], "f") == "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        (("-b", "+c", " "), "a\nc\n"),
        (("-b", "-", "+c"), "a\nc\n"),
        (("-b", "-", "+c", "+"), "a\nc\n"),
        (("-b", " ", "+c"), "a\n\nc\n"),
        ((" b", " ", " ", " "), "a\nb\n"),
        (("-b", "-", "-", "+c", "+", "+", "+", "+"), "a\nc\n\n\n"),
        (("-b", " ", " ", "+c"), "a\n\n\nc\n"),
    ],
)
def test_an_empty_last_line_may_stand_for_the_end_of_the_file(lines: tuple[str, ...], after: str) -> None:
    assert change("a\nb\n", *lines) == after


def test_the_empty_last_line_is_first_searched_as_a_line() -> None:
    assert change("b\nx\nb\n\n", "-b", " ") == "b\nx\n\n"


def test_only_in_an_empty_file_may_an_empty_line_alone_stand_for_the_end() -> None:
    assert change("", "-", "+x") == "x\n"
    assert change("", " ", "+x") == "\nx\n"
    with pytest.raises(PatchMatchError):
        change("a\n", "-", "+x")


def test_unchanged_lines_keep_the_text_of_the_file() -> None:
    text = "  a  \n\tb\n  it\u2019s \u2014 c\nd\n"
    assert change(text, " a", " b", " it's - c", "-d", "+e") == "  a  \n\tb\n  it\u2019s \u2014 c\ne\n"


@pytest.mark.parametrize(
    ("text", "lines", "after"),
    [
        pytest.param(
            "class A:\n    def f():\n        1\n",
            (" def f():", "-    1", "+    if x:", "+        2", "+", "+", "+    3"),
            "class A:\n    def f():\n        if x:\n            2\n\n\n        3\n",
            id="too little",
        ),
        pytest.param(
            "def f():\n  1\n",
            ("     def f():", "-      1", "+      2", "+  z", "+    "),
            "def f():\n  2\nz\n\n",
            id="too much",
        ),
        pytest.param("\tif x:\n\t\t1\n", (" if x:", "-\t1", "+\t2"), "\tif x:\n\t\t2\n", id="a tab"),
        pytest.param(
            "    if x:\n        1\n",
            (" \tif x:", "-\t\t1", "+\t\t2"),
            "    if x:\n\t\t2\n",
            id="another kind",
        ),
        pytest.param("    a\n  b\n", (" a", "-b", "+c"), "    a\nc\n", id="uneven"),
        pytest.param("a\n  b\n", ("   a", "-  b", "+  c"), "a\n  c\n", id="uneven, too much"),
        pytest.param("  a \u2014\n", ("-a -", "+a +"), "  a +\n", id="with other typography"),
        pytest.param(
            "    a\n    b\n", ("    a", "    b", "+    c"), "    a\n    b\n    c\n", id="the space of context"
        ),
        pytest.param("    a\n", ("-   a", "+   c"), "    c\n", id="one space"),
        pytest.param("a\n\t\nb\n", (" a", "- ", "+  c"), "a\n  c\nb\n", id="only white space"),
        pytest.param("\t\n", ("- ", "+  c"), "  c\n", id="no text"),
        pytest.param("\n\ufeff\n", (" ", "-", "+  c"), "\n  c\n", id="no text but a mark"),
    ],
)
def test_added_lines_are_indented_like_the_lines_found(text: str, lines: tuple[str, ...], after: str) -> None:
    assert change(text, *lines) == after


def test_an_exact_match_keeps_the_new_indentation() -> None:
    assert change("    a\n", "-    a", "+  a") == "  a\n"
    assert change("    a  \n", "-    a", "+  a") == "  a\n"


def test_missing_lines_are_shown_with_the_nearest_ones() -> None:
    text = "\n".join(["import os", "def area(w, h):", "    size = w * h", "    return size", ""])
    with pytest.raises(PatchMatchError) as caught:
        change(text, " def area(w, h):", "-    size = w + h", "+x", "     return size")
    assert str(caught.value) == (
        "Failed to find expected lines in f:\ndef area(w, h):\n    size = w + h\n    return size\n"
        "The nearest lines there are:\n2: def area(w, h):\n3:     size = w * h\n4:     return size"
    )


def test_lines_out_of_order_are_reported_with_their_position() -> None:
    with pytest.raises(PatchMatchError) as caught:
        apply_to_text("a\nb\nc\n", [chunk("-b"), chunk("-a")], "f")
    assert str(caught.value) == (
        "Failed to find expected lines in f:\na\n"
        "They are at line 1, before line 3, where the search began: chunks must be in the file's order."
    )


def test_a_missing_context_is_named_with_the_nearest_line() -> None:
    with pytest.raises(PatchMatchError) as caught:
        change("import os\n\nclass Shape(Base):\n    pass\n", "-    pass", context=("class Shape:",))
    assert str(caught.value) == (
        "Failed to find context 'class Shape:' in f\nThe nearest lines there are:\n3: class Shape(Base):"
    )
    with pytest.raises(PatchMatchError, match=r"^Failed to find context 'def nowhere' in f$"):
        change("a\n", "-a", context=("def nowhere",))


def test_a_message_is_cut_to_a_reasonable_length() -> None:
    with pytest.raises(PatchMatchError) as caught:
        change("y" * 100_000, *["-" + "y" * 1_000] * 100)
    assert len(str(caught.value)) < 6_000


def test_too_many_different_lines_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "MAX_DIFFERENT_LINES", 3)
    assert change("0\n1\n2\n", "-1", "-2", "+3", "+4", context=("0",)) == "0\n3\n4\n"
    with pytest.raises(PatchMatchError, match=r"asks for 4 different lines of f; the limit is 3\. Split it"):
        change("1\n", "-2", " 3", "+x", "-1", context=("0",))


def test_many_chunks_in_a_long_file_take_linear_time() -> None:
    def work(size: int) -> float:
        lines = [f"line {number}" for number in range(size)]
        text = "\n".join(lines)
        chunks = [
            chunk(f" line {at}  ", f"-line {at + 1}", "+x", f" line {at + 2}", context=(f"line {at - 2}",))
            for at in range(50, size - 50, size // 200)
        ]
        return seconds(lambda: apply_to_text(text, chunks, "f"))

    assert work(160_000) < 24 * max(work(20_000), 0.002)


def test_repeated_lines_do_not_make_the_search_quadratic() -> None:
    def work(size: int) -> float:
        text = "x\n" * size
        found = chunk(*["-x"] * (size // 2), end_of_file=True)
        missing = chunk(*["-x"] * (size // 2), "-never")

        def tries() -> None:
            apply_to_text(text, [found], "f")
            with pytest.raises(PatchMatchError):
                apply_to_text(text + "never", [missing, missing], "f")

        return seconds(tries)

    assert work(80_000) < 24 * max(work(10_000), 0.002)


def test_empty_lines_at_the_end_of_a_chunk_take_linear_time() -> None:
    def work(size: int) -> float:
        lines = ["-x", *[" "] * size]
        return seconds(lambda: change("x\n", *lines))

    assert work(80_000) < 24 * max(work(10_000), 0.002)


def test_lines_that_only_a_lenient_pass_finds_take_linear_time() -> None:
    def work(size: int) -> float:
        text = "x\n" + "x \n" * size
        chunks = [chunk("-x")] * size
        return seconds(lambda: apply_to_text(text, chunks, "f"))

    assert work(80_000) < 24 * max(work(10_000), 0.002)


def test_searching_for_the_nearest_lines_takes_bounded_time() -> None:
    def work(size: int) -> float:
        text = "".join(f"one two three four {number % 1_000}\n" for number in range(size))

        def search() -> None:
            with pytest.raises(PatchMatchError):
                change(text, *[f"-one two three {number}" for number in range(150)])

        return seconds(search)

    assert work(64_000) < 24 * max(work(8_000), 0.002)
