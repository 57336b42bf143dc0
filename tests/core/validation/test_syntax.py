import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.validation.check_syntax import LARGEST_FILE, problem_of


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        ("json", '{"a": 1}', None),
        ("json", "\ufeff{}", None),
        ("json", '{"a": 1,\n}', "1:8: |2:1: "),
        ("json", "[" * 100_000, "1: nested too deeply"),
        ("json", "1" * 10_000, "1: Exceeds the limit"),
        ("jsonl", '{"a": 1}\n\n[2]\n', None),
        ("jsonl", '{"a": 1}\n{\n', "2:2: "),
        ("toml", "a = 1\r\nb = 2\r\n", None),
        ("toml", "b = 1\na = ?", "2:5: Invalid value"),
        ("toml", "a = ", "1: Invalid value"),
        ("toml", "a = " + "[" * 100_000, "1: nested too deeply"),
        ("yaml", "a: &x [1, *x]\n---\nb: !!any {c: d}\n", None),
        ("yaml", "a: [1\n", "2:1: did not find expected"),
        ("yaml", "a: b: c", "1:5: mapping values are not allowed"),
        ("yaml", "\0", "1: "),
        ("python", "x = 1\n", None),
        ("python", "import os\nx = (\n", "2:5: '\\(' was never closed"),
        ("python", "print 1", "1:1: Missing parentheses"),
        ("python", "a\0", "1:"),
        ("python", "# coding: no-such\n", "1:"),
    ],
)
def test_the_syntax_of_each_format_is_checked(kind: str, text: str, problem: str | None) -> None:
    found = problem_of(kind, text.encode())
    if problem is None:
        assert found is None
    else:
        assert any(str(found).startswith(start.replace("\\", "")) for start in problem.split("|")), found


@pytest.mark.parametrize("kind", ["json", "toml", "yaml", "python"])
def test_invalid_unicode_is_reported_as_a_problem(kind: str) -> None:
    assert problem_of(kind, b"a = '\xff'\n") is not None


def test_very_long_files_are_not_checked() -> None:
    assert problem_of("json", b"[" * (LARGEST_FILE + 1)) is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_everything_that_json_writes_is_valid(value: object) -> None:
    assert problem_of("json", json.dumps(value).encode()) is None


@given(st.sampled_from(["json", "jsonl", "toml", "yaml"]), st.text(alphabet='[]{}":,=#-&*!\n\t ab1'))
def test_any_text_gets_a_result(kind: str, text: str) -> None:
    found = problem_of(kind, text.encode())
    assert found is None or found.partition(":")[0].isdecimal()
