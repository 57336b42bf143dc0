"""Turns the tables of the settings file into typed settings, and says what is wrong with them.

A value of the wrong type stops the program. A key that nothing reads is a warning, and so is
a value that only a newer version knows where the default can stand in for it.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from code_core.config.overrides import Setting, key_path
from code_core.config.schema import ConfigFile, SettingsTable
from code_core.config.toml_source import KeyPath, line_of
from code_core.errors import ConfigError

# Keys whose unknown values do no harm when they are left out.
_DISPENSABLE = frozenset(
    {"model_reasoning_effort", "model_reasoning_summary", "model_text_verbosity", "model_verbosity"}
)
_MAY_BE_SECRET = frozenset({"bearer_token", "env", "http_headers", "query_params", "set"})
_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings came from, to name it in messages.

    Attributes:
        name: the file, or whatever else holds `text`.
        text: what it holds, to find lines in.
        settings: the `-c` options put over it.
    """

    name: Path | str
    text: str = ""
    settings: tuple[Setting, ...] = field(default=())

    def of(self, path: KeyPath) -> str:
        """The option or the file and line that the value at `path` comes from."""
        for key, _ in reversed(self.settings):
            given = key_path(key)
            if path[: len(given)] == given:
                return f"-c {key}"
        line = line_of(self.text, path)
        return f"{self.name}" if line is None else f"{self.name}:{line}"


def checked(table: dict[str, Any], source: Source) -> tuple[ConfigFile, tuple[str, ...]]:
    """The settings in `table`, and warnings about what has no effect.

    Raises:
        ConfigError: a value is wrong; names its source, its key and what it must be.
    """
    warnings = [*_unknown_keys(table, source)]
    try:
        return ConfigFile.model_validate(table), tuple(warnings)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    left_out: list[KeyPath] = []
    for problem in problems:
        path = problem["loc"]
        if not _is_dispensable(path, problem["type"]):
            raise ConfigError(_wrong_value(path, problem["input"], problem["msg"], source))
        left_out.append(path[:-1] if path[-1] == "[key]" else path)
        warnings.append(f"{_wrong_value(path, problem['input'], problem['msg'], source)} (left out)")
    for path in left_out:
        table = _without(table, path)
    return ConfigFile.model_validate(table), tuple(warnings)


def _wrong_value(path: KeyPath, given: Any, problem: str, source: Source) -> str:
    inner = tuple(part for part in path if part != "[key]")
    hidden = isinstance(given, dict | list) or not _MAY_BE_SECRET.isdisjoint(inner)
    value = "" if hidden else f" is {repr(given)[:_LONGEST_VALUE]}"
    expected = problem.replace("Input should be", "it must be").removeprefix("Value error, ")
    return f"{source.of(inner)}: {dotted(inner)}{value}: {expected}"


def _is_dispensable(path: KeyPath, kind: str) -> bool:
    return kind in {"enum", "literal_error"} and (path[-1] in _DISPENSABLE or path[0] == "validation")


def _without(table: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    head, *rest = path
    kept = {**table}
    if not rest:
        kept.pop(str(head), None)
    elif isinstance(kept.get(str(head)), dict):
        kept[str(head)] = _without(kept[str(head)], tuple(rest))
    return kept


def dotted(path: KeyPath) -> str:
    """A key as a settings file would spell it, on one line."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts[-1] += f"[{part}]"
        else:
            bare = part.isascii() and part.replace("-", "_").isidentifier()
            parts.append(part if bare else repr(part).replace("'", '"'))
    return ".".join(parts)


def _unknown_keys(table: Mapping[str, Any], source: Source) -> Iterator[str]:
    for path, known in unknown_keys(table, ConfigFile):
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        yield f"{source.of(path)}: unknown setting {dotted(path)}{hint}"


def unknown_keys(table: Any, model: type[BaseModel], at: KeyPath = ()) -> Iterator[tuple[KeyPath, list[str]]]:
    """The path of each key that nothing reads, and the keys that its table may have."""
    if not isinstance(table, dict):
        return
    fields = {name: info for key, info in model.model_fields.items() for name in _names(key, info)}
    left_alone = model.left_alone if issubclass(model, SettingsTable) else frozenset()
    for key, value in table.items():
        if key in fields:
            yield from _inside(value, fields[key].annotation, (*at, key))
        elif key not in left_alone:
            yield (*at, key), sorted(fields)


def _names(key: str, info: FieldInfo) -> list[str]:
    alias = info.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [key]


def _inside(value: Any, annotation: Any, at: KeyPath) -> Iterator[tuple[KeyPath, list[str]]]:
    """The same for a value of the type `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from unknown_keys(value, annotation, at)
    arguments = get_args(annotation)
    if get_origin(annotation) is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, arguments[1], (*at, key))
    elif get_origin(annotation) is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _inside(item, arguments[0], (*at, number))
    elif isinstance(annotation, UnionType):
        for option in arguments:
            yield from _inside(value, option, at)
