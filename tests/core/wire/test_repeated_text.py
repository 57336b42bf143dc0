"""A text that is sent again after a stream broke."""

import pytest

from code_core.wire.repeated_text import RepeatedText


@pytest.mark.parametrize(
    ("pieces", "new"),
    [
        (["Hel", "lo"], ["", ""]),
        (["Hel", "lo", " there"], ["", "", "Hello there"]),
        (["Hel", "p"], ["", "Help"]),
        (["lo"], ["lo"]),
        (["", "Hello"], ["", ""]),
        (["H", "H"], ["", "HH"]),
    ],
)
def test_a_text_is_new_from_its_first_difference(pieces: list[str], new: list[str]) -> None:
    repeated = RepeatedText("Hello")
    assert [repeated.add(piece) for piece in pieces] == new
