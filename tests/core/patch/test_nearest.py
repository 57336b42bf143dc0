import pytest

from code_core.patch.nearest import MAX_FILE_CHARS, MAX_WANTED_LINES, nearest_region

FILE = ["import os", "", "def area(width, height):", "    size = width * height", "    return size", "}"]


@pytest.mark.parametrize(
    ("wanted", "region"),
    [
        (["    size = width + height"], "4:     size = width * height"),
        (["def area(width, height, depth):"], "3: def area(width, height):"),
        (
            ["area(w)", "    size = width * height", "    return size"],
            "3: def area(width, height):\n4:     size = width * height\n5:     return size",
        ),
        (["x", "import os"], "1: import os\n2: "),
    ],
)
def test_the_most_similar_lines_are_shown_with_their_numbers(wanted: list[str], region: str) -> None:
    assert nearest_region(FILE, wanted) == region


@pytest.mark.parametrize("wanted", [["completely different"], ["}"], [""], ["os"], []])
def test_without_similar_lines_nothing_is_shown(wanted: list[str]) -> None:
    assert nearest_region(FILE, wanted) is None


def test_frequent_words_do_not_count() -> None:
    assert nearest_region(["the end"] * 100, ["the end "]) is None


def test_of_equally_similar_regions_the_first_is_shown() -> None:
    assert nearest_region(["alpha beta", "", "alpha beta"], ["alpha beto"]) == "1: alpha beta"


def test_long_searches_are_skipped() -> None:
    assert nearest_region(["word", "x" * MAX_FILE_CHARS], ["word"]) is None
    assert nearest_region(["word"], ["word"] * (MAX_WANTED_LINES + 1)) is None
    assert nearest_region(["word"], ["word"] * MAX_WANTED_LINES) is None
    assert nearest_region(["word"] * 40, ["word"] * 40) is not None
