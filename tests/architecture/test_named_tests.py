"""The tests that SECURITY.md and docs/reliability.md name for their promises exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PAGES = ("SECURITY.md", "docs/reliability.md")
NAMED = sorted({(page, *test) for page in PAGES for test in _NAMED.findall((ROOT / page).read_text())})


@pytest.mark.parametrize(("page", "file", "name"), NAMED)
def test_a_promise_names_a_test_that_exists(page: str, file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    tests = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }
    assert tests, page
    assert not name or name in tests, page


def test_every_promise_of_the_security_page_names_a_test() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("## What holds")[2].partition("## What does not")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 10
    assert all(_NAMED.search(row) for row in rows)


def test_every_fault_of_the_reliability_page_names_a_test() -> None:
    rows = [line for line in (ROOT / "docs/reliability.md").read_text().splitlines() if line.startswith("|")]
    faults = [row for row in rows if not row.startswith(("| fault |", "|---"))]
    assert len(faults) > 20
    assert all("::test_" in row for row in faults)
