"""Options are read as `getopt_long` reads them."""

import pytest

from code_core.safety.options import Options, has, long_names, present

OPTIONS = Options("uC", long_names("user chdir verbatim"), "nv", long_names("verbose help"))


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("", 0),
        ("git push", 0),
        ("-", 0),
        ("-n git", 1),
        ("-n - git", 1),
        ("-- -n git", 1),
        ("-n -- git", 2),
        ("-u x git", 2),
        ("-ux git", 1),
        ("-nu x git", 2),
        ("-nux git", 1),
        ("-n -v", 2),
        ("-u", 2),
        ("-x git", None),
        ("-nx git", None),
        ("--user x git", 2),
        ("--us x git", 2),
        ("--user=x git", 1),
        ("--help git", 1),
        ("--verbo git", 1),
        ("--verb git", None),
        ("--other git", None),
        ("--other=x git", 1),
        ("-v --user x -C y git -x", 5),
    ],
)
def test_the_command_begins_after_the_options_and_their_values(words: str, end: int | None) -> None:
    assert OPTIONS.end(words.split()) == end


def test_every_option_is_found_with_its_value() -> None:
    words = "-nu x a -uy --user z --us=w --verbose --other=1 -v - b -C -- -n".split()
    assert list(present(words, OPTIONS)) == [
        ("n", False, None),
        ("u", False, "x"),
        ("u", False, "y"),
        ("user", True, "z"),
        ("us", True, "w"),
        ("verbose", True, None),
        ("other", True, "1"),
        ("v", False, None),
        ("C", False, "--"),
        ("n", False, None),
    ]


def test_words_after_two_dashes_are_not_options() -> None:
    assert list(present("a -n -- -v --help".split(), OPTIONS)) == [("n", False, None)]


def test_an_option_at_the_end_lacks_its_value() -> None:
    assert list(present(["-u"], OPTIONS)) == [("u", False, None)]
    assert list(present(["-u", "x"], OPTIONS)) == [("u", False, "x")]
    assert list(present(["--user"], OPTIONS)) == [("user", True, None)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-f", True),
        ("-xf", True),
        ("x -R", True),
        ("--force", True),
        ("--fo=x", True),
        ("--recursive", True),
        ("-o f", False),
        ("-of", False),
        ("--output -f", False),
        ("--output=x -f", True),
        ("-- -f", False),
        ("f", False),
        ("--forced", False),
        ("-x --x", False),
    ],
)
def test_options_among_words(words: str, expected: bool) -> None:
    assert has(words.split(), "fR", "force recursive", valued="o", valued_long="output") is expected
