"""Which line ends a patched file has."""

import pytest

from core.patch.build import apply_to_text, chunk


def change(original: str, *lines: str) -> str:
    return apply_to_text(original, [chunk(*lines)], "f")


def test_a_last_line_written_by_the_patch_gets_a_line_ending() -> None:
    assert change("a\nb", "-b", "+c") == "a\nc\n"
    assert change("a", "-a", "+b", "+c") == "b\nc\n"
    assert change("a\r\nb", " b", "+c") == "a\r\nb\r\nc\r\n"
    assert change("a\nb", "+c") == "a\nb\nc\n"
    assert change("a\nb", "-b", "+b") == "a\nb\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_unchanged_last_line_without_a_line_ending_stays_that_way(end: str) -> None:
    assert change(f"a{end}b", "-a", "+c") == f"c{end}b"
    assert change(f"a{end}x{end}b", "-a", "+c", " x", " b") == f"c{end}x{end}b"
    assert change(f"a{end}b", "-a") == "b"
    assert change(f"a{end}b", "-b") == f"a{end}"
    assert change("b", "+a", " b") == "a\nb"


def test_a_last_line_without_a_line_ending_gets_one_if_a_line_is_added_after_it() -> None:
    chunks = [chunk("-a", "+x", " b"), chunk("+c")]
    assert apply_to_text("a\r\nb", chunks, "f") == "x\r\nb\r\nc\r\n"
    # Added at the end first, while a chunk further down changes the last line.
    chunks = [chunk("+c"), chunk("-b", "+d")]
    assert apply_to_text("a\nb", chunks, "f") == "a\nd\nc\n"
    chunks = [chunk("+c"), chunk("-a", " b")]
    assert apply_to_text("a\nb", chunks, "f") == "b\nc\n"


def test_a_file_that_loses_all_its_lines_is_empty() -> None:
    assert change("a\n", "-a") == ""


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("a\r\nb\r\nc\r\n", "a\r\nX\r\nY\r\nc\r\n"),
        ("a\rb\rc\r", "a\rX\rY\rc\r"),
        ("a\nb\r\nc\n", "a\nX\r\nY\r\nc\n"),
        ("a\r\nb\nc\r\n", "a\r\nX\nY\nc\r\n"),
        ("b\r\na\n", "X\r\nY\r\na\n"),
        ("a\x0cz\u2028\x85\nb\nc\n", "a\x0cz\u2028\x85\nX\nY\nc\n"),
        ("a\r\nb", "a\r\nX\r\nY\r\n"),
    ],
)
def test_new_lines_have_the_line_endings_of_those_they_replace_and_the_others_keep_theirs(
    original: str, expected: str
) -> None:
    assert change(original, "-b", "+X", "+Y") == expected


def test_an_inserted_line_has_the_line_ending_of_the_previous_or_else_the_next_line() -> None:
    assert change("a\r\nb\nc\n", " a", "+X", " b") == "a\r\nX\r\nb\nc\n"
    assert change("a\r\nb\nc\n", "+X", " a") == "X\r\na\r\nb\nc\n"
    assert change("a\r\nb\nc\n", " a", "-b", " c", "+X") == "a\r\nc\nX\n"


def test_a_carriage_return_inside_a_line_of_the_patch_is_a_line_ending_in_the_file() -> None:
    assert change("10%\r20%\ndone\n", " 10%\r20%", "-done", "+end") == "10%\r20%\nend\n"
    assert change("10%\r20%\ndone\n", "-10%\r20%", "+0%") == "0%\rdone\n"


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert change("\ufeffa\nb\n", "-a", "+x") == "\ufeffx\nb\n"
    assert change("\ufeffa\nb\n", "-\ufeffa", "+\ufeffx") == "\ufeffx\nb\n"
    assert change("\ufeff", "+x") == "\ufeffx\n"
    assert change("a\n", "+\ufeffx") == "a\n\ufeffx\n"
