"""Generates the tables of `docs/events.md` from the protocol's models."""

import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from code_core.protocol.events import KnownEvent
from code_core.protocol.ops import Op

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", Path: "path", Any: "any"}


def events() -> str:
    """Every event: its type, its fields, its meaning."""
    return _table(_members(KnownEvent))


def ops() -> str:
    """Every operation."""
    return _table(_members(Op))


def values() -> str:
    """The objects inside events and operations."""
    seen: dict[type[BaseModel], None] = {}
    for model in (*_members(KnownEvent), *_members(Op)):
        for field in model.model_fields.values():
            for inner in _models(field.annotation):
                _collect(inner, seen)
    rows = [f"| `{model.__name__}` | {_fields(model)} | {_summary(model)} |\n" for model in seen]
    return "| object | fields | meaning |\n| --- | --- | --- |\n" + "".join(sorted(rows, key=_name))


def _table(models: Iterable[type[BaseModel]]) -> str:
    rows = []
    for model in models:
        (name,) = get_args(model.model_fields["type"].annotation)
        rows.append(f"| `{name}` | {_fields(model)} | {_summary(model)} |\n")
    return "| `type` | fields | meaning |\n| --- | --- | --- |\n" + "".join(sorted(rows, key=_name))


def _name(row: str) -> str:
    return row.split("`")[1]


def _members(union: Any) -> Iterator[type[BaseModel]]:
    if get_origin(union) is Annotated:
        union = get_args(union)[0]
    for member in get_args(union):
        if isinstance(member, type) and issubclass(member, BaseModel) and "type" in member.model_fields:
            kind = get_origin(member.model_fields["type"].annotation)
            if kind is Literal:
                yield member


def _collect(model: type[BaseModel], seen: dict[type[BaseModel], None]) -> None:
    if model in seen:
        return
    seen[model] = None
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            _collect(inner, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        if not isinstance(argument, str):
            yield from _models(argument)


def _fields(model: type[BaseModel]) -> str:
    shown = []
    for name, field in model.model_fields.items():
        if name == "type" and get_origin(field.annotation) is Literal:
            continue
        optional = "" if field.is_required() else "?"
        shown.append(f"`{name}`{optional}: {_kind(field.annotation)}")
    return "<br>".join(shown)


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        return " \\| ".join(f'`"{value}"`' if isinstance(value, str) else f"`{value}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " \\| ".join(_kind(one) for one in arguments if one is not NoneType)
    if origin in {list, tuple}:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"object of {_kind(arguments[1])}"
    if annotation in _NAMES:
        return _NAMES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " \\| ".join(f'`"{member.value}"`' for member in annotation)
    return f"`{annotation.__name__}`" if isinstance(annotation, type) else "any"


def _summary(model: type[BaseModel]) -> str:
    text = inspect.getdoc(model) or ""
    paragraphs = [part for part in text.split("\n\n") if not re.match(r"(Attributes|Raises|Args):", part)]
    return re.sub(r"\s+", " ", " ".join(paragraphs)).replace("|", "\\|")
