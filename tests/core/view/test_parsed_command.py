from typing import Any

import pytest

from code_core.view.parsed_command import parsed_command


@pytest.mark.parametrize(
    ("argv", "parsed"),
    [
        (["cat", "src/a.py"], [{"type": "read", "name": "a.py", "path": "src/a.py"}]),
        (["bash", "-lc", "cd src && sed -n 1,20p a.py"], [{"type": "read", "name": "a.py", "path": "a.py"}]),
        (["bash", "-lc", "ls -la src | head -5"], [{"type": "list_files", "path": "src"}]),
        (["ls"], [{"type": "list_files", "path": None}]),
        (["rg", "--files"], [{"type": "list_files", "path": None}]),
        (["rg", "-n", "needle", "src"], [{"type": "search", "query": "needle", "path": "src"}]),
        (["grep", "x"], [{"type": "search", "query": "x", "path": None}]),
        (["bash", "-lc", "cat a; cat b"], [{"type": "read", "name": n, "path": n} for n in "ab"]),
        (["git", "status"], [{"type": "unknown"}]),
        (["cd", "src"], [{"type": "unknown"}]),
        # A command is shown as reading only if that is certain.
        (["bash", "-lc", "cat a; rm b"], [{"type": "unknown"}]),
        (["bash", "-lc", "cat a > b"], [{"type": "unknown"}]),
        (["rg", "--pre", "sh", "x"], [{"type": "unknown"}]),
        (["find", ".", "-delete"], [{"type": "unknown"}]),
        (["./cat", "a"], [{"type": "unknown"}]),
    ],
)
def test_kinds_of_commands(argv: list[str], parsed: list[dict[str, Any]]) -> None:
    found = parsed_command(argv)
    assert [one.model_dump(exclude={"cmd"}) for one in found] == parsed
    assert all(one.cmd for one in found)
