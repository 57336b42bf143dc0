import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.config.edit import remove_value, set_values
from code_core.config.paths import Home
from code_core.errors import ConfigError

BEFORE = """\
# my settings
model = "m"  # the good one

[limits]
max_tool_calls = 3

[mcp_servers]
old = { command = "x" }
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "config.toml").write_text(BEFORE)
    return Home(tmp_path)


def settings(home: Home) -> dict[str, Any]:
    return tomllib.loads(home.config_file.read_text())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model",), "n"),
        (("sandbox_mode",), "workspace-write"),
        (("limits", "max_wall_seconds"), 5),
        (("profiles", "p", "limits", "max_tool_calls"), 1),
        (("projects", "/a.b", "sandbox_mode"), "read-only"),
        (("mcp_servers", "new"), {"command": "y", "env": {"A": "b"}}),
        (("mcp_servers", "old", "args"), ["z"]),
        (("shell_environment_policy", "exclude"), ["A*"]),
    ],
)
def test_a_value_is_set_without_changing_the_rest(home: Home, path: tuple[str, ...], value: Any) -> None:
    before = settings(home)
    set_values(home, {path: value})
    after = settings(home)
    found: Any = after
    for part in path:
        found = found[part]
    assert found == value
    assert "# my settings" in home.config_file.read_text()
    remove_value(home, path)
    if path != ("model",):
        assert settings(home) == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("limits", "max_tool_calls"), 0, "limits.max_tool_calls is 0"),
        (("model", "x"), 1, "model in .* is not a table"),
        (("approval_policy",), "sometimes", "approval_policy is 'sometimes'"),
        (("mcp_servers", "old", "url"), "http://x", "command and url are both set"),
    ],
)
def test_an_invalid_value_changes_nothing(
    home: Home, path: tuple[str, ...], value: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        set_values(home, {path: value})
    assert home.config_file.read_text() == BEFORE


def test_a_file_with_two_mistakes_can_be_corrected_one_by_one(home: Home) -> None:
    home.config_file.write_text('model = 5\napproval_policy = "sometimes"\n')
    set_values(home, {("sandbox_mode",): "read-only"})
    set_values(home, {("model",): "m"})
    set_values(home, {("approval_policy",): "never"})
    assert settings(home) == {"model": "m", "approval_policy": "never", "sandbox_mode": "read-only"}


def test_an_unset_value_cannot_be_removed(home: Home) -> None:
    for path in (
        ("approval_policy",),
        ("limits", "max_wall_seconds"),
        ("profiles", "p", "model"),
        ("model", "x"),
    ):
        with pytest.raises(ConfigError, match="is not set in"):
            remove_value(home, path)


def test_a_table_is_removed_with_its_last_value(home: Home) -> None:
    remove_value(home, ("limits", "max_tool_calls"))
    assert "limits" not in settings(home)


def test_settings_of_the_fallback_are_kept_in_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "codex").mkdir()
    (tmp_path / "codex/config.toml").write_text('model = "old"\n')
    home = Home(tmp_path / "code", fallback=tmp_path / "codex")
    assert set_values(home, {("sandbox_mode",): "read-only"}) == tmp_path / "code/config.toml"
    assert settings(home) == {"model": "old", "sandbox_mode": "read-only"}
    assert (tmp_path / "codex/config.toml").read_text() == 'model = "old"\n'


@given(st.lists(st.sampled_from(["a.b", "x", '"', "é", "-", "_1"]), min_size=1, max_size=2), st.booleans())
def test_names_of_any_spelling_survive_an_edit(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], off: bool
) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    path = ("shell_environment_policy", "set", "".join(names))
    set_values(home, {path: "1", ("model",): "m"})
    if off:
        remove_value(home, ("model",))
    assert settings(home)["shell_environment_policy"] == {"set": {path[-1]: "1"}}
