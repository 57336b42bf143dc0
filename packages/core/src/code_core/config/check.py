"""Validates the tables of the settings file and turns them into typed settings.

A value of the wrong type is an error. An unknown key is a warning, and so is an unknown value,
perhaps from a newer version, where the default can be used instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from code_core.config.layers import Layer, LayerKind, located, merged
from code_core.config.schema.file import ConfigFile
from code_core.config.schema_walk import booleans_for_numbers, unknown_keys
from code_core.config.toml_source import KeyPath
from code_core.errors import ConfigError
from code_core.frozen import frozen

# Keys whose unknown values can be ignored without harm.
_DISPENSABLE = frozenset(
    {"model_reasoning_effort", "model_reasoning_summary", "model_text_verbosity", "model_verbosity"}
)
# Keys that newer Codex versions also accept as tables; the defaults allow nothing.
_ALSO_TABLES = frozenset({"approval_policy", "web_search"})
# Replacements for messages in which pydantic describes how it parses a text.
_PARSED = {
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "string_type": "it must be a string",
    "list_type": "it must be a list",
    "dict_type": "it must be a table",
    "model_type": "it must be a table",
    "model_attributes_type": "it must be a table",
    "path_type": "it must be a path",
    "missing": "it is required",
    "string_pattern_mismatch": "a name has only letters, digits, - and _",
}
_MAY_BE_SECRET = frozenset({"bearer_token", "env", "http_headers", "query_params", "set"})
_LONGEST_VALUE = 200
_PARTS = frozenset({LayerKind.DIRECTORY, LayerKind.PROFILE})
"""Layers that are tables within other layers and are checked with those."""


def checked(layers: Sequence[Layer]) -> tuple[ConfigFile, tuple[str, ...]]:
    """Return the settings resulting from `layers`, and warnings about what has no effect.

    Raises:
        ConfigError: a value is invalid; names its source, its key and what it must be.
    """
    table = merged(layers)
    warnings = [warning for layer in layers for warning in _unknown_keys(layer)]
    mistakes = {mistake.path: mistake for mistake in reversed(mistakes_in(table))}
    for path, mistake in reversed(mistakes.items()):
        where = _before_key(located(layers, path), path)
        if not mistake.dispensable:
            raise ConfigError(f"{where}: {mistake}{_misspelled(table, path)}")
        warnings.append(f"{where}: {mistake} (left out)")
    for path in mistakes:  # from last to first, so that indexes in lists stay valid
        table = _without(table, path)
    return ConfigFile.model_validate(table), tuple(warnings)


@frozen
class Mistake:
    """An invalid value; as text: the key, the value unless it may be secret, and what it must be.

    Attributes:
        dispensable: whether the default can be used instead.
    """

    path: KeyPath
    text: str
    dispensable: bool

    def __str__(self) -> str:
        return self.text


def mistakes_in(table: Mapping[str, Any]) -> list[Mistake]:
    """Return every invalid value in the tables of a settings file."""
    effective = {key: value for key, value in table.items() if key != "profiles"}
    wrong = [_mistake(*found) for found in booleans_for_numbers(effective, ConfigFile)]
    try:
        ConfigFile.model_validate(table)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        wrong += [
            _mistake(problem["loc"], problem["input"], problem["type"], problem["msg"])
            for problem in problems
        ]
    return wrong


def _mistake(loc: KeyPath, given: Any, kind: str, problem: str = "") -> Mistake:
    path = tuple(part for part in loc if part != "[key]")
    hidden = isinstance(given, dict | list) or may_be_secret(path)
    shown = str(given).lower() if isinstance(given, bool) else repr(given)
    value = "" if hidden else f" is {shown[:_LONGEST_VALUE]}"
    expected = _PARSED.get(kind) or problem.replace("Input should be", "it must be").removeprefix(
        "Value error, "
    )
    dispensable = (
        (kind in {"enum", "literal_error"} and (path[-1] in _DISPENSABLE or path[0] == "validation"))
        or (isinstance(given, dict) and path[-1] in _ALSO_TABLES)
        or (kind == "greater_than_equal" and path[-2:] == ("history", "max_bytes"))
    )
    return Mistake(path, f"{dotted(path)}{value}: {expected}", dispensable)


def may_be_secret(path: KeyPath) -> bool:
    """Whether the value at `path` must not be shown."""
    return not _MAY_BE_SECRET.isdisjoint(path)


def _without(value: Any, path: KeyPath) -> Any:
    """Return a copy of a table or list without what is at `path`."""
    head, *rest = path
    kept = value.copy()
    if rest:
        kept[head] = _without(kept[head], tuple(rest))
    else:
        del kept[head]
    return kept


def dotted(path: KeyPath) -> str:
    """Return a key as a settings file would spell it, on one line."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts[-1] += f"[{part}]"
        else:
            bare = part.isascii() and part.replace("-", "_").isidentifier()
            parts.append(part if bare else repr(part).replace("'", '"'))
    return ".".join(parts)


def _before_key(where: str, path: KeyPath) -> str:
    """`where` for a message that continues with the key, avoiding naming the key of an option twice."""
    return "-c" if where == f"-c {dotted(path)}" else where


def _misspelled(table: Mapping[str, Any], path: KeyPath) -> str:
    """A hint about an unknown key that may be the cause of the mistake at `path`: in that table, or next to a missing key."""
    around = path[:-1] if _is_missing(table, path) else path
    for unknown, known in unknown_keys(table, ConfigFile):
        if unknown[:-1] == around:
            return f" (unknown setting {unknown[-1]}{suggestion(unknown[-1], known)})"
    return ""


def _is_missing(value: Any, path: KeyPath) -> bool:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return True
    return False


def _unknown_keys(layer: Layer) -> Iterator[str]:
    if layer.kind in _PARTS:
        return
    for path, known in unknown_keys(layer.table, ConfigFile):
        hint = suggestion(path[-1], known)
        yield f"{_before_key(layer.locate(path), path)}: unknown setting {dotted(path)}{hint}"


def suggestion(key: str | int, known: Sequence[str]) -> str:
    """Return `: did you mean …?` with the known key that is most like `key`, or nothing if none is like it."""
    import difflib  # rarely needed

    near = difflib.get_close_matches(str(key), known, n=1)
    return f": did you mean {near[0]}?" if near else ""
