import time

import pytest

from code_core.patch import Chunk, PatchMatchError, apply_chunks


def change(original: str, old: str, new: str, *context: str, end_of_file: bool = False) -> str:
    chunk = Chunk(context, tuple(old.split("\n")), tuple(new.split("\n")), end_of_file)
    return apply_chunks(original, [chunk], "f")


def insertion(original: str, *new: str, context: tuple[str, ...] = (), end_of_file: bool = False) -> str:
    return apply_chunks(original, [Chunk(context, (), new, end_of_file)], "f")


@pytest.mark.parametrize(
    ("file_line", "patch_line"),
    [
        ("a = 1", "a = 1"),
        ("a = 1   ", "a = 1"),
        ("    a = 1", "a = 1 "),
        ("a \u2013 \u201cb\u201d\u00a0\u2018c\u2019", "a - \"b\" 'c'"),
        ("  caf\u00e9 \u2014 x", "caf\u00e9 - x"),
    ],
)
def test_each_pass_finds_its_kind_of_difference(file_line: str, patch_line: str) -> None:
    assert change(f"top\n{file_line}\nend\n", patch_line, "found") == "top\nfound\nend\n"


@pytest.mark.parametrize(
    ("stricter", "laxer"),
    [("x = 1", "x = 1  "), ("x = 1  ", "  x = 1"), ("  x = '1'", "x = \u20181\u2019")],
)
def test_the_earliest_pass_wins_over_an_earlier_line(stricter: str, laxer: str) -> None:
    wanted = stricter.strip() if stricter.startswith(" ") else stricter.rstrip()
    assert change(f"{laxer}\n{stricter}\n", wanted, "found") == f"{laxer}\nfound\n"


def test_the_first_hit_of_a_pass_wins() -> None:
    assert change("x\ny\nx\n", "x", "z") == "z\ny\nx\n"


def test_a_context_moves_the_search_past_itself() -> None:
    text = "def f():\n    return 1\n\ndef g():\n    return 1\n"
    assert change(text, "    return 1", "    return 2", "def g():").endswith("def g():\n    return 2\n")
    assert change(text, "    return 1", "    return 2").startswith("def f():\n    return 2\n")


def test_nested_contexts_are_sought_one_after_the_other() -> None:
    text = "class A:\n  def f():\n    1\nclass B:\n  def f():\n    1\n"
    assert change(text, "    1", "    2", "class B:", "  def f():") == text[:-6] + "    2\n"


def test_chunks_are_sought_after_the_one_before() -> None:
    chunks = [Chunk((), ("x",), ("1",)), Chunk((), ("x",), ("2",))]
    assert apply_chunks("x\nx\nx\n", chunks, "f") == "1\n2\nx\n"


def test_an_end_of_file_chunk_is_the_last_lines_or_nothing() -> None:
    assert change("x\ny\nx\n", "x", "z", end_of_file=True) == "x\ny\nz\n"
    with pytest.raises(PatchMatchError, match="at the end of the file"):
        change("x\ny\n", "x", "z", end_of_file=True)


def test_without_old_lines_the_new_ones_go_to_the_end() -> None:
    assert insertion("a\n", "b") == "a\nb\n"
    assert insertion("a\n\n", "b") == "a\nb\n\n"
    assert insertion("", "b") == "b\n"
    assert insertion("a", "b") == "a\nb\n"


def test_without_old_lines_but_with_a_context_the_new_ones_go_after_it() -> None:
    assert insertion("a\nb\n", "new", context=("a",)) == "a\nnew\nb\n"
    assert insertion("a\nb\n", "new", context=("a",), end_of_file=True) == "a\nb\nnew\n"


def test_an_addition_at_the_end_does_not_end_the_search() -> None:
    chunks = [Chunk((), (), ("end",)), Chunk((), ("a",), ("A",))]
    assert apply_chunks("a\nb\n", chunks, "f") == "A\nb\nend\n"


def test_an_addition_before_a_last_empty_line_that_changes_too() -> None:
    chunks = [Chunk((), (), ("end",)), Chunk((), ("a", ""), ("A", "B"))]
    assert apply_chunks("a\n\n", chunks, "f") == "A\nB\nend\n"


def test_a_last_empty_line_may_stand_for_the_end_of_the_file() -> None:
    assert change("a\nb\n", "b\n", "c\n") == "a\nc\n"
    assert change("a\nb\n", "b\n", "c") == "a\nc\n"


def test_the_result_ends_with_a_newline() -> None:
    assert change("a\nb", "b", "c") == "a\nc\n"
    assert apply_chunks("a\n", [Chunk((), ("a",), ())], "f") == ""


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("a\r\nb\r\nc\r\n", "a\r\nX\r\nY\r\nc\r\n"),
        ("a\rb\rc\r", "a\rX\rY\rc\r"),
        ("a\nb\r\nc\n", "a\nX\r\nY\nc\n"),
        ("a\x0cz\nb\nc\n", None),
    ],
)
def test_line_ends_stay_as_they_are(original: str, expected: str | None) -> None:
    if expected is None:
        assert change(original, "b", "X") == "a\x0cz\nX\nc\n"
    else:
        assert change(original, "b", "X\nY") == expected


def test_a_missing_context_is_named() -> None:
    with pytest.raises(PatchMatchError, match=r"Failed to find context 'def nowhere' in f"):
        change("a\n", "a", "b", "def nowhere")


def test_missing_lines_are_shown_with_the_nearest_ones() -> None:
    text = "\n".join(["import os", "def area(w, h):", "    size = w * h", "    return size", ""])
    with pytest.raises(PatchMatchError) as caught:
        change(text, "def area(w, h):\n    size = w + h\n    return size", "x")
    assert str(caught.value) == (
        "Failed to find expected lines in f:\ndef area(w, h):\n    size = w + h\n    return size\n"
        "The nearest lines there are:\n2: def area(w, h):\n3:     size = w * h\n4:     return size"
    )


def test_nothing_near_is_not_invented() -> None:
    with pytest.raises(PatchMatchError) as caught:
        change("alpha\nbeta\n", "completely different", "x")
    assert "nearest" not in str(caught.value)


def test_repeated_lines_do_not_make_the_search_quadratic() -> None:
    def seconds(size: int) -> float:
        lines = "x\n" * size
        started = time.perf_counter()
        with pytest.raises(PatchMatchError):
            change(lines, "x\n" * (size // 2) + "never", "y")
        return time.perf_counter() - started

    seconds(1_000)
    assert seconds(80_000) < 40 * max(seconds(10_000), 0.005)
