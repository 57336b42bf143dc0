"""What `echo` and `printf` print."""

import pytest

from code_core.safety.shell_output import decoded, output, printed


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["a", "b"], ["a b"]),
        (["-n", "a", "b"], ["a b"]),
        (["-n"], ["-n"]),
        ([], [""]),
        (["%s-%5.2d%%x", "a", "b", "c"], ["%s-%5.2d%%x a b c", "a-b%%x"]),
        (["%s%q%b%c", "a"], ["%s%q%b%c a", "a"]),
        (["a", "%s"], ["a %s"]),
        (["a\\tb"], ["a\tb"]),
        (["\\x41%s", "b"], ["A%s b", "Ab"]),
    ],
)
def test_the_possible_outputs(arguments: list[str], texts: list[str]) -> None:
    assert printed(arguments) == texts


@pytest.mark.parametrize(
    ("commands", "word"),
    [
        ([["echo", "rm"]], "rm"),
        ([["printf", "%s", "rm"]], "rm"),
        ([["printf", "\\162m"]], "rm"),
        ([["echo"]], None),
        ([["echo", ""]], None),
        ([["echo", "a", "b"]], None),
        ([["echo", "100%"]], None),
        ([["cat", "rm"]], None),
        ([["echo", "a"], ["echo", "b"]], None),
        ([], None),
        ([["which", "rm"]], "rm"),
        ([["command", "-v", "rm"]], "rm"),
        ([["type", "-p", "rm"]], "rm"),
        ([["type", "-P", "rm"]], "rm"),
        ([["type", "rm"]], None),
        ([["command", "rm"]], None),
    ],
)
def test_the_word_that_results_from_a_substitution(commands: list[list[str]], word: str | None) -> None:
    assert output(commands) == word


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"\x41\x4ag", "AJg"),
        (r"\u41\u0042C", "ABC"),
        (r"\U00000041b", "Ab"),
        (r"\U00110000b", "b"),
        (r"\U0010ffff", "\U0010ffff"),
        (r"\101\60a", "A0a"),
        (r"\777", "\xff"),
        (r"\n\t\r\a\b\e\E\f\v", "\n\t\r\a\b\x1b\x1b\f\v"),
        (r"\'\"\\\?", "'\"\\?"),
        (r"a\cxb", "ab"),
        ("\\\n", "\n"),
    ],
)
def test_escapes(text: str, plain: str) -> None:
    assert decoded(text) == plain
