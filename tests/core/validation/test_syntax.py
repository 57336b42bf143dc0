import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.validation.syntax import LARGEST_TEXT, check_syntax


@pytest.mark.parametrize(
    ("name", "text", "tool", "problem"),
    [
        ("a.json", '{"a": 1}', "json", None),
        ("a.json", "\ufeff{}", "json", None),
        ("a.json", '{"a": 1,}', "json", "line 1 column "),
        ("a.json", "[" * 100_000, "json", "nested too deeply"),
        ("a.jsonl", '{"a": 1}\n\n[2]\n', "json", None),
        ("a.jsonl", '{"a": 1}\n{\n', "json", "line 2: "),
        ("a.toml", "a = 1\r\nb = 2\r\n", "toml", None),
        ("a.toml", "a = ", "toml", "Invalid value"),
        ("a.toml", "a = " + "[" * 100_000, "toml", "nested too deeply"),
        ("a.yaml", "a: &x [1, *x]\n---\nb: !!any {c: d}\n", "yaml", None),
        ("a.yml", "a: [1\n", "yaml", "2:1: did not find expected"),
        ("a.yml", "a: b: c", "yaml", "1:5: mapping values are not allowed"),
        ("a.yml", "\0", "yaml", "control characters"),
    ],
)
def test_formats(name: str, text: str, tool: str, problem: str | None) -> None:
    found = check_syntax(name, text)
    assert found is not None
    assert found[0] == tool
    assert (found[1] is None) if problem is None else problem in str(found[1])


@pytest.mark.parametrize("name", ["a.txt", "json", "a.json.bak", "Makefile"])
def test_other_files_are_not_checked(name: str) -> None:
    assert check_syntax(name, "{") is None


def test_what_is_very_long_is_not_checked() -> None:
    assert check_syntax("a.json", "[" * (LARGEST_TEXT + 1)) is None


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 50_000, "- " * 50_000, "&a [*a]", "!" * 50_000])
def test_hostile_yaml_ends(text: str) -> None:
    assert check_syntax("a.yaml", text) is not None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_json_writes_is_json(value: object) -> None:
    assert check_syntax("a.json", json.dumps(value)) == ("json", None)


@given(st.sampled_from(["a.json", "a.toml", "a.yaml"]), st.text(alphabet='[]{}":,=#-&*!\n\t ab1\ud800'))
def test_any_text_has_an_answer(name: str, text: str) -> None:
    assert check_syntax(name, text) is not None
