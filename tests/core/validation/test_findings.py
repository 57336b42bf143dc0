import json

import pytest

from code_core.validation.findings import (
    MOST_ISSUES,
    MOST_LINES,
    Issue,
    Report,
    read_eslint,
    read_lines,
    read_unformatted,
)

FILES = ["a.py", "src/b.ts", "sub/a.py", "Dockerfile", "s.sh"]


@pytest.mark.parametrize(
    ("line", "file", "message"),
    [
        ("a.py:2:5: '(' was never closed", "a.py", "2:5: '(' was never closed"),
        ("./a.py:2:5: E1 text", "a.py", "2:5: E1 text"),
        ("/stage/sub/a.py:2:5: E1 text", "sub/a.py", "2:5: E1 text"),
        ("  /stage/a.py:1:5 - error: Expected", "a.py", "1:5: error: Expected"),
        ("a.py:3: error: bad type  [assignment]", "a.py", "3: error: bad type  [assignment]"),
        ("src/b.ts(3,7): error TS1005: ';' expected.", "src/b.ts", "3:7: error TS1005: ';' expected."),
        ("Dockerfile:3 DL3006 warning: Tag it", "Dockerfile", "3: DL3006 warning: Tag it"),
        ("a.py:3:5:error - UndefinedClass: no", "a.py", "3:5: error - UndefinedClass: no"),
        ("a.py:3: clashes with Dockerfile and s.sh", "a.py", "3: clashes with Dockerfile and s.sh"),
        ("s.sh:3: see a.py", "s.sh", "3: see a.py"),
        (f"{'/stage/' * 100}a.py:1: x", "a.py", "1: x"),
        ("error in s.sh at line 3", "s.sh", "error in s.sh at line 3"),
    ],
)
def test_the_output_lines_of_checkers_are_parsed(line: str, file: str, message: str) -> None:
    assert read_lines("tool", line, FILES, "/stage") == [Issue("tool", file, message)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a.py",
        "/stage/a.py",
        "Found 3 errors.",
        "xa.py:1: text",
        "other/a.py:1: text",
        "a.pyi:1: text",
        "a.py-old:1: text",
    ],
)
def test_lines_about_unchanged_files_are_not_issues(line: str) -> None:
    assert read_lines("tool", line, FILES, "/stage") == []


def test_files_listed_by_a_formatter_are_reported_as_unformatted() -> None:
    text = (
        "Checking formatting...\n[warn] a.py\n./s.sh\n/stage/sub/a.py\n[warn] Code style issues in 2 files.\n"
    )
    assert {issue.file for issue in read_unformatted("prettier", text, FILES, "/stage")} == {
        "a.py",
        "s.sh",
        "sub/a.py",
    }


def test_long_output_about_many_files_is_parsed_quickly() -> None:
    files = [f"{'d/' * 50}{number}.py" for number in range(500)]
    assert read_lines("tool", f"{'d/' * 60}x.py:1: text\n" * 20_000, files, "/stage") == []


def test_the_number_and_length_of_reported_lines_are_limited() -> None:
    issues = read_lines("tool", f"a.py:1: {'x' * 100_000}\n" * 100, FILES, "/stage")
    assert len(issues) == MOST_LINES
    assert all(len(issue.message) < 500 for issue in issues)


def test_the_json_of_eslint_is_parsed() -> None:
    messages = [
        {"ruleId": "no-undef", "line": 1, "column": 2, "message": "'x' is not defined."},
        {"ruleId": None, "line": 3, "column": 1, "message": "Parsing error"},
        {"ruleId": None, "message": "File ignored"},
    ]
    text = json.dumps([{"filePath": "/stage/src/b.ts", "messages": messages},
                       {"filePath": "/stage/other.ts", "messages": messages}])  # fmt: skip
    assert read_eslint("eslint", f"{text}\nsome warning\n", FILES, "/stage") == [
        Issue("eslint", "src/b.ts", "1:2: 'x' is not defined. (no-undef)"),
        Issue("eslint", "src/b.ts", "3:1: Parsing error"),
    ]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"path": 1}]', "[" * 100_000, '{"a": 1}'])
def test_invalid_json_from_eslint_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own are among them
        read_eslint("eslint", text, FILES, "/stage")


def test_the_model_gets_at_most_twelve_issues_and_their_number() -> None:
    issues = tuple(Issue("ruff", "a.py", f"{number}: text") for number in range(20))
    report = json.loads(Report(("ruff", "mypy"), issues).as_json())["validation"]
    assert len(report["issues"]) == MOST_ISSUES
    assert report["issues"][0] == {"tool": "ruff", "file": "a.py", "message": "0: text"}
    assert (report["issue_count"], report["truncated"], report["checks"]) == (20, True, ["ruff", "mypy"])
    shown = str(Report(("ruff",), issues[:13])).splitlines()
    assert (shown[0], shown[-1]) == ("validation (ruff): 13 issues", "  and 1 more")
