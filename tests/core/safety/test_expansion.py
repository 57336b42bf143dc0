"""The possible values of what a script expands."""

from itertools import product

import pytest

from code_core.safety.expansion import (
    LONGEST_VALUE,
    MOST_EXPANDED,
    MOST_VALUES,
    MOST_VARIANTS,
    Values,
    braced,
    is_name,
    newest,
    variants,
)
from code_core.safety.script import TooComplexError


def _values(**values: str) -> Values:
    made = Values()
    for name, value in values.items():
        made.add(name, value)
    return made


def test_the_newest_values_of_a_variable_come_first() -> None:
    values = _values(x="a")
    values.add("x", "b")
    values.add("x", "a")
    assert values.of("x") == ["a", "b"]
    assert values.of("y") == []
    assert values.of("IFS") == [" "]


def test_the_number_and_length_of_a_variables_values_are_limited() -> None:
    values = Values()
    for number in range(MOST_VALUES + 1):
        values.add("x", str(number))
    assert values.of("x") == [str(number) for number in range(MOST_VALUES, 0, -1)]
    values.add("y", "a" * LONGEST_VALUE)
    values.add("z", "a" * (LONGEST_VALUE + 1))
    assert (len(values.of("y")), values.of("z")) == (1, [])


def test_only_values_that_are_not_empty_count_as_shown() -> None:
    values = _values(x="a", y="")
    assert values.shown("x")
    assert not values.shown("y")
    assert not values.shown("z")
    assert not any(map(values.shown, "1@*"))
    values.add("@", "a")
    assert all(map(values.shown, "1@*"))
    assert not values.shown("#")


def test_an_assignment_replaces_or_appends() -> None:
    values = _values(y="b")
    values.assign("x", "=", "a")
    values.assign("x", "+=", "$y")
    assert values.of("x") == ["b", "ab", "a"]
    values.assign("x", "=", "c")
    assert values.of("x") == ["c", "b", "ab", "a"]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a", ["a"]),
        ("a${x}b$x", ["axybxy"]),
        ("$xy", [""]),
        ("r${unset}m", ["rm"]),
        ("$(…)", ["out", ""]),
        ("a`…`b", ["aoutb", "ab"]),
        ("$two", ["2", "1"]),
        ("$1", ["rm -f", "rm", "-f"]),
        ("${2}", ["rm -f", "rm", "-f"]),
        ("$@", ["rm -f"]),
        ("${*}", ["rm -f"]),
        ("$?$#", [""]),
        ("${arr[0]}", ["el"]),
        ("${!ref}", ["xy"]),
        ("${!none}", [""]),
        ("$dollar", ["$x`…`"]),
        # defaults
        ("${x:-d}", ["xy", "d"]),
        ("${x-d}", ["xy", "d"]),
        ("${none:-d}", ["d"]),
        ("${x:='d'}", ["xy", "d"]),
        ('${x:="d"}', ["xy", "d"]),
        ("${x:+d}", ["xy", "d", ""]),
        ("${none+d}", ["d", ""]),
        ("${x:?d}", ["xy"]),
        ("${none:?d}", [""]),
        ("${none:-${x}}", ["xy"]),
        ("${none:-${none:-${x}}}", ["xy"]),
        # parts of values
        ("${long:1}", ["bcabc"]),
        ("${long:1:2}", ["bc"]),
        ("${long: -2}", ["bc"]),
        ("${long:1:-1}", ["bcab"]),
        ("${long::2}", ["ab"]),
        ("${long:1:2:3}", ["bc"]),
        ("${long:y}", ["abcabc"]),
        ("${long:1234567}", ["abcabc"]),
        ("${long:123456}", [""]),
        ("${long#a}", ["bcabc"]),
        ("${long#*b}", ["cabc"]),
        ("${long##*b}", ["c"]),
        ("${long#x}", ["abcabc"]),
        ("${long%c}", ["abcab"]),
        ("${long%b*}", ["abca"]),
        ("${long%%b*}", ["a"]),
        ("${long%x}", ["abcabc"]),
        ("${long/b/X}", ["aXcabc"]),
        ("${long//b/X}", ["aXcaXc"]),
        ("${long/b}", ["acabc"]),
        ("${long//b}", ["acac"]),
        ("${long/#a/X}", ["Xbcabc"]),
        ("${long/#b/X}", ["abcabc"]),
        ("${long/%c/X}", ["abcabX"]),
        ("${long/%b/X}", ["abcabc"]),
        ("${long/}", ["abcabc"]),
        ("${long/b/X/Y}", ["aX/Ycabc"]),
        ("${long^}", ["Abcabc"]),
        ("${long^^}", ["ABCABC"]),
        ("${upper,}", ["aBC"]),
        ("${upper,,}", ["abc"]),
        ("${upper~}", ["aBC"]),
        ("${upper~~}", ["abc"]),
        ("${long@Q}", ["abcabc"]),
    ],
)
def test_the_possible_expansions_of_a_text(text: str, texts: list[str]) -> None:
    values = _values(x="xy", two="1", arr="el", ref="x", dollar="$x`…`", long="abcabc", upper="ABC")
    values.add("two", "2")
    values.add("@", "rm -f")
    values.add("$(…)", "out")
    assert values.texts(text) == texts


@pytest.mark.parametrize(("size", "cut"), [(255, "b"), (256, "a" * 255 + "b")])
def test_patterns_are_matched_only_with_short_values(size: int, cut: str) -> None:
    values = _values(x="a" * (size - 1) + "b", y="b" + "a" * (size - 1))
    assert values.texts("${x##*a}") == [cut]
    assert values.texts("${y%%a*}") == [cut[::-1]]


def test_the_number_of_expansions_is_limited() -> None:
    values = _values(x="a", y="c")
    values.add("x", "b")
    texts = values.texts("$x$x$x$x")
    assert texts == [f"{a}{b}{c}{d}" for a in "b" for b in "ba" for c in "ba" for d in "ba"]
    assert values.texts("${a:-${b:-${c:-$y}}}") == ["$y"]


def test_fields_are_separated_by_blanks_and_ifs() -> None:
    values = Values()
    values.add("IFS", ":-")
    assert values.fields("a:b-c\td e") == "a b c d e"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rm x", []),
        ("$cmd x", ["git push x", "'git push' x"]),
        ("echo $x", ["echo xy"]),
        ("echo `…`", ["echo"]),
        ("{rm,ls}", ["rm ls"]),
        ("$none rm", ["rm"]),
        ("{git,$cmd}", ["git git push", "git 'git push'"]),
    ],
)
def test_variants_of_a_command(words: str, expected: list[str]) -> None:
    values = _values(cmd="git push", x="xy")
    made = [
        " ".join(f"'{one}'" if " " in one else one for one in each)
        for each in variants(words.split(), values)
    ]
    assert made == expected


def test_the_number_of_variants_is_limited() -> None:
    values = _values(x="a")
    values.add("x", "b")
    made = list(variants(["$x"] * 7, values))
    assert len(made) == MOST_VARIANTS
    assert made[:2] == [["b"] * 7, ["b"] * 6 + ["a"]]
    split = _values(y="1 2")
    many = list(variants(["{$y,$y,$y,$y,$y}"], split))
    assert len(many) == 2 * MOST_VALUES


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("rm", ["rm"]),
        ("r{m,n}x", ["rmx", "rnx"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{a,{b,c}}", ["a", "b", "a", "c"]),
        ("{a,}", ["a", ""]),
        ("{a..c}", ["a", "b", "c"]),
        ("{c..a}", ["c", "b", "a"]),
        ("{a..a}", ["a"]),
        ("{1..9}", ["1", "2", "3", "4", "5", "6", "7", "8"]),
        ("{aa..c}", ["aa..c"]),
        ("${a,b}", ["${a,b}"]),
        ("{a}", ["{a}"]),
    ],
)
def test_brace_expansion(word: str, words: list[str]) -> None:
    assert braced(word) == words


def test_the_number_of_words_from_braces_is_limited() -> None:
    assert braced("{a,b}" * 5) == ["".join(each) for each in product("ab", repeat=5)]
    made = braced("{a,b}" * 6)
    assert len(made) == 33
    assert made[:2] == ["aaaaaa", "aaaaab"]
    assert made[-1] == "b" + "{a,b}" * 5
    assert len(braced("{a,b,c}" * 4)) == 33
    many = [str(number) for number in range(40)]
    assert braced(f"{{{','.join(many)}}}{{a,b}}") == [f"{number}{{a,b}}" for number in many]


def test_a_huge_expansion_is_rejected() -> None:
    word = f"{{{'a,' * 255}a}}".ljust(MOST_EXPANDED // 256, "x")
    assert len(braced(word)) == 256
    with pytest.raises(TooComplexError):
        braced(f"{word}x")
    values = _values(x="a" * LONGEST_VALUE)
    count = MOST_EXPANDED // LONGEST_VALUE
    assert [len(text) for text in values.texts("$x" * count)] == [MOST_EXPANDED]
    with pytest.raises(TooComplexError):
        values.texts("$x" * count + "$x")


def test_adding_several_values_at_once_gives_the_same_result() -> None:
    one, other = _values(x="0"), _values(x="0")
    parts = [*"abcab", "d" * (LONGEST_VALUE + 1), *"efghiad", "y" * LONGEST_VALUE, "z"]
    for part in parts:
        one.add("x", part)
    for part in newest(parts):
        other.add("x", part)
    assert one.of("x") == other.of("x")


def test_variable_names() -> None:
    assert all(map(is_name, ("a", "_", "aB_1")))
    assert not any(map(is_name, ("", "1a", "a-b", "a ")))
