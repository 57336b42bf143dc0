"""The tests that SECURITY.md names for its promises exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
NAMED = sorted(set(_NAMED.findall((ROOT / "SECURITY.md").read_text())))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_promise_names_a_test_that_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    tests = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }
    assert tests
    assert not name or name in tests


def test_every_promise_names_a_test() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("## What holds")[2].partition("## What does not")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 10
    assert all(_NAMED.search(row) for row in rows)
