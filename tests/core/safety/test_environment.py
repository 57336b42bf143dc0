from typing import Any

import pytest

from code_core.safety.environment import child_environment

FULL = {
    "PATH": "/bin",
    "HOME": "/h",
    "API_KEY": "k",
    "my_secret": "s",
    "TOKENS": "t",
    "EDITOR": "vi",
    "LANG": "C",
}


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ({}, {"PATH", "HOME", "EDITOR", "LANG"}),
        ({"inherit": "core"}, {"PATH", "HOME"}),
        ({"inherit": "none"}, set()),
        ({"ignore_default_excludes": True}, set(FULL)),
        ({"exclude": ["ed*"]}, {"PATH", "HOME", "LANG"}),
        ({"inherit": "none", "set_": {"X": "1", "NEW_KEY": "2"}}, {"X", "NEW_KEY"}),
        ({"include_only": ["PATH", "L*"]}, {"PATH", "LANG"}),
        ({"set_": {"X": "1"}, "include_only": ["PATH"]}, {"PATH"}),
        ({"ignore_default_excludes": True, "secrets": ["API_KEY"]}, set(FULL) - {"API_KEY"}),
        ({"set_": {"API_KEY": "again"}, "inherit": "none", "secrets": ["API_KEY"]}, set()),
    ],
)
def test_the_policy_in_its_order(policy: dict[str, Any], names: set[str]) -> None:
    assert set(child_environment(FULL, **policy)) == names
