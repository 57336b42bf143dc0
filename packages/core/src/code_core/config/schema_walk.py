"""Walks the tables of a settings file together with the types that the schema gives their values."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from code_core.config.schema.base import SettingsTable
from code_core.config.spellings import names_of
from code_core.config.toml_source import KeyPath
from code_core.frozen import frozen


@frozen
class _UnknownKey:
    """In place of the type of a value whose key the schema does not have."""

    known: list[str]


def unknown_keys(table: Mapping[str, Any], model: type[BaseModel]) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield the path of each unknown key, and the keys that its table may contain."""
    for path, _, annotation in _values(table, model):
        if isinstance(annotation, _UnknownKey):
            yield path, annotation.known


def booleans_for_numbers(
    table: Mapping[str, Any], model: type[BaseModel]
) -> Iterator[tuple[KeyPath, bool, str]]:
    """Yield each boolean where a number is expected, with pydantic's name of the mistake.

    Pydantic itself takes `true` for 1.
    """
    for path, value, annotation in _values(table, model):
        if isinstance(value, bool):
            types = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
            if int in types or float in types:
                yield path, value, "int_type" if int in types else "float_type"


def _values(value: Any, annotation: Any, at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Yield each value in `value`, with its path and its type or an `_UnknownKey`."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    yield at, value, annotation
    if isinstance(annotation, UnionType):
        for option in get_args(annotation):
            for path, inner, found in _values(value, option, at):
                if path != at:
                    yield path, inner, found
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _fields(value, annotation, at)
    elif get_origin(annotation) is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, get_args(annotation)[1], (*at, key))
    elif get_origin(annotation) is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _values(item, get_args(annotation)[0], (*at, number))


def _fields(table: Any, model: type[BaseModel], at: KeyPath) -> Iterator[tuple[KeyPath, Any, Any]]:
    if not isinstance(table, dict):
        return
    fields = {name: info for key, info in model.model_fields.items() for name in names_of(key, info)}
    left_alone = model.left_alone if issubclass(model, SettingsTable) else frozenset()
    for key, value in table.items():
        if key in fields:
            yield from _values(value, fields[key].annotation, (*at, key))
        elif key not in left_alone:
            yield (*at, key), value, _UnknownKey(sorted(fields))
