"""Every key of the settings, misspelt by one letter, in every place where it can be written."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from code_core.config.load import ConfigOverrides, load_config
from code_core.config.overrides import parse_setting
from code_core.config.project_settings import NOT_OF_A_PROJECT
from code_core.config.schema.file import ConfigFile
from code_core.config.spellings import names_of
from code_core.errors import ConfigError

NAME = "/x"  # also a valid path of a project
Keys = tuple[str | int, ...]
VALID: dict[Keys, Any] = {
    ("mcp_servers", "x"): {"command": "x"},
    ("model_providers", NAME): {"base_url": "https://example.com"},
    ("experimental_client_tools", "*"): {"mcp_server": "x", "tool_name": "t"},
    ("confirm_guard", "patterns", 0): {"regex": "x", "message": "m"},
    ("*", "prices"): {"input": 1.0, "output": 1.0},
}
"""What tables need to be valid."""


def keys_of(annotation: Any, at: Keys = ()) -> Iterator[Keys]:
    """The path of every key that a value of this type can contain."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from keys_of(arguments[0], at)
    elif isinstance(annotation, UnionType):
        for option in arguments:
            yield from keys_of(option, at)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for key, info in annotation.model_fields.items():
            yield from ((*at, name) for name in names_of(key, info))
            yield from keys_of(info.annotation, (*at, names_of(key, info)[0]))
    elif origin is dict:
        yield from keys_of(arguments[1], (*at, "x" if at[-1:] == ("mcp_servers",) else NAME))
    elif origin is list:
        yield from keys_of(arguments[0], (*at, 0))


KEYS = [keys for keys in keys_of(ConfigFile) if keys[0] != "profiles"]


def misspelt(key: str) -> str:
    """`key` without its middle letter."""
    return key[: len(key) // 2] + key[len(key) // 2 + 1 :]


def all_misspelt(keys: list[Keys]) -> dict[str, Any]:
    """Tables with all of these keys, misspelt, and what makes the tables valid."""
    root: dict[str, Any] = {}
    for path in keys:
        table: Any = root
        for depth, part in enumerate(path[:-1], 1):
            table = table[part] if part == 0 else table.setdefault(part, [{}] if path[depth] == 0 else {})
            for pattern, valid in VALID.items():
                here = path[:depth]
                if here == pattern or (pattern[-1] == "*" and here[:-1] == pattern[:-1]) or (
                    pattern[0] == "*" and here[-1] == pattern[-1]
                ):  # fmt: skip
                    table.update(valid)
        table[misspelt(str(path[-1]))] = 1
    return root


def toml(table: dict[str, Any]) -> str:
    """A table as TOML."""
    return "".join(f"{json.dumps(key)} = {inline(value)}\n" for key, value in table.items())


def inline(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {inline(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return json.dumps(value)


@pytest.mark.parametrize("place", ["file", "profile", "project", "-c"])
def test_each_misspelt_key_is_one_warning_with_the_right_one(tmp_path: Path, place: str) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    (work / ".code").mkdir(parents=True)
    file = home / "config.toml"
    overrides = ConfigOverrides(cwd=work)
    keys = KEYS
    match place:
        case "file":
            file.write_text(toml(all_misspelt(keys)))
        case "profile":
            keys = [path for path in keys if path[0] not in {"profile", "projects"}]
            file.write_text(toml({"profiles": {"p": all_misspelt(keys)}}))
            overrides = ConfigOverrides(cwd=work, profile="p")
        case "project":
            keys = [path for path in keys if len(path) == 1 or path[0] not in NOT_OF_A_PROJECT]
            text = toml(all_misspelt(keys))
            (work / ".code/config.toml").write_text(text)
            trust = {"trust_level": "trusted", "trusted_settings": sha256(text.encode()).hexdigest()}
            file.write_text(toml({"projects": {str(work): trust}}))
        case _:
            table = all_misspelt(keys)
            settings = [parse_setting(f"{key}={inline(value)}") for key, value in table.items()]
            overrides = ConfigOverrides(cwd=work, settings=tuple(settings))
    warnings = load_config(overrides, {"CODE_HOME": str(home)}).warnings
    found = [one for one in warnings if "unknown setting" in one]
    assert len(found) == len({(*path[:-1], misspelt(str(path[-1]))) for path in keys})
    assert [one for one in found if "did you mean" not in one] == []
    for path in keys:
        wrong = misspelt(str(path[-1]))
        assert any(f"{wrong}: did you mean {path[-1]}?" in one for one in found), path


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ('confirm_guard.patterns=[{regx="x"}]', "regx: did you mean regex?"),
        ("models.m.prices={inptu=1.0, output=1.0}", "inptu: did you mean input?"),
        ('experimental_client_tools.read_text_file={mcpServer="x", toolNam="t"}', "toolNam: did you mean toolName?"),
        ('mcp_servers.x={comand="x"}', "comand: did you mean command?"),
    ],
)  # fmt: skip
def test_a_misspelt_key_that_is_required_is_named_in_the_error(
    tmp_path: Path, setting: str, hint: str
) -> None:
    overrides = ConfigOverrides(cwd=tmp_path, settings=(parse_setting(setting),))
    with pytest.raises(ConfigError, match="unknown setting") as caught:
        load_config(overrides, {"CODE_HOME": str(tmp_path)})
    assert f"(unknown setting {hint})" in str(caught.value)
