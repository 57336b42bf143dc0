"""Generates the reference of the settings from their models."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from code_core.config.schema.file import ConfigFile
from code_core.config.schema.unsupported import UNSUPPORTED

_NAMED = {
    "mcp_servers": "NAME",
    "model_providers": "ID",
    "projects": '"/path"',
    "profiles": "NAME",
    "models": "NAME",
}
_KINDS = {str: "text", Path: "path", int: "number", float: "number", bool: "", SecretStr: "text"}


def settings() -> Iterator[list[str]]:
    """Each setting: its key, its values, its default and its meaning."""
    yield from _rows(ConfigFile, "", {"profiles"})
    yield [
        "`profiles.NAME.…`",
        "table",
        "",
        "any of these keys except `profile`, `profiles` and `projects`; `--profile NAME` selects the table",
    ]


def unsupported() -> Iterator[list[str]]:
    """Each key that has no effect, and why."""
    for key, reason in sorted(UNSUPPORTED.items()):
        yield [f"`{key.replace('*', _NAMED[key.partition('.')[0]]) if '*' in key else key}`", reason]


def _rows(
    model: type[BaseModel], prefix: str, left_out: frozenset[str] | set[str] = frozenset()
) -> Iterator[list[str]]:
    for key, info in model.model_fields.items():
        if key in left_out:
            continue
        if prefix and key == "models":
            yield [f"`{prefix}models.NAME.…`", "table", "", "the keys of `models.NAME`, for this provider"]
            continue
        path, inner = _table(f"{prefix}{key}", key, info.annotation)
        if inner is not None:
            yield from _rows(inner, f"{path}.")
        else:
            assert info.description, f"{path} is not described"
            yield [f"`{path}`", _kind(info.annotation), _default(info), info.description]


def _table(path: str, key: str, annotation: Any) -> tuple[str, type[BaseModel] | None]:
    """The table at a key, if it is one."""
    options = (
        [one for one in get_args(annotation) if one is not NoneType]
        if isinstance(annotation, UnionType)
        else []
    )
    if len(options) == 1:
        return _table(path, key, options[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return path, annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _table(path, key, arguments[0])
    if origin is dict and get_origin(arguments[1]) is Annotated:
        arguments = (arguments[0], get_args(arguments[1])[0])
    if origin is list and isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel):
        return f"{path}[]", arguments[0]
    if origin is dict:
        value = get_args(arguments[1])[0] if get_origin(arguments[1]) is Annotated else arguments[1]
        if isinstance(value, type) and issubclass(value, BaseModel):
            return f"{path}.{_NAMED[key]}", value
    return path, None


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if isinstance(annotation, UnionType) or origin is Union:
        kinds = [kind for one in arguments if one is not NoneType and (kind := _kind(one))]
        return ", ".join(dict.fromkeys(kinds))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in {list, frozenset}:
        return f"list of {_kind(arguments[0])}"
    if origin is dict and arguments[1] is Any:
        return "table"
    if origin is dict:
        return f"table of {_kind(arguments[1]) or '`true`, `false`'}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    return _KINDS[annotation] or "`true`, `false`"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    match info.default:
        case None | [] | {}:
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case Enum() as value:
            return f"`{value.value}`"
        case float() as value:
            return f"`{value:g}`"
        case value:
            return f"`{value}`"
