"""Every key of the settings with values of every type: accepted, left out with a warning, or one line with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from code_core.config.load import ConfigOverrides, load_config
from code_core.config.overrides import parse_setting
from code_core.config.schema.file import ConfigFile
from code_core.errors import ConfigError

VALUES = {
    "a whole number": "7",
    "a negative number": "-5",
    "a fraction": "1.5",
    "not a number": "nan",
    "a huge number": "99999999999999999999999",
    "a boolean": "true",
    "a string": "'zzz'",
    "an empty string": "''",
    "a list": "['zzz']",
    "an empty list": "[]",
    "a list of numbers": "[1]",
    "a table": "{ zzz = 1 }",
    "a date": "2020-01-01",
}


def keys() -> Iterator[tuple[str, ...]]:
    schema = ConfigFile.model_json_schema()
    for path in _keys(schema, schema["$defs"], ()):
        if path[0] != "profiles":
            yield path


def _keys(schema: dict[str, Any], named: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", ()):
        yield from _keys(option, named, at)
    for key, value in schema.get("properties", {}).items():
        yield (*at, key)
        yield from _keys(value, named, (*at, key))
    for value in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
        if isinstance(value, dict):
            yield (*at, "nm")
            yield from _keys(value, named, (*at, "nm"))


KEYS = sorted({".".join(path) for path in keys()})


def test_the_schema_has_many_keys() -> None:
    assert len(KEYS) > 150
    assert {"limits.max_tool_calls", "mcp_servers.nm.args", "models.nm.prices.input"} <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_any_type_is_accepted_or_reported_in_one_line(tmp_path: Path, key: str) -> None:
    environ = {"CODE_HOME": str(tmp_path)}
    table, _, name = key.rpartition(".")
    for value in VALUES.values():
        text = f"# first\n[{table}]\n{name} = {value}\n" if table else f"# first\n\n{name} = {value}\n"
        (tmp_path / "config.toml").write_text(text)
        _one_line(ConfigOverrides(cwd=tmp_path), environ, f"{tmp_path}/config.toml:")
        (tmp_path / "config.toml").write_text("")
        setting = parse_setting(f"{key}={value}")
        _one_line(ConfigOverrides(cwd=tmp_path, settings=(setting,)), environ, "-c")


def _one_line(overrides: ConfigOverrides, environ: dict[str, str], source: str) -> None:
    try:
        load_config(overrides, environ)
    except ConfigError as error:
        assert str(error).startswith(source) or "needs a scenario" in str(error)
        assert "\n" not in str(error)
