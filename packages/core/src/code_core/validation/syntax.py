"""Syntax checks that need no other program."""

import json
import tomllib
from collections.abc import Callable

from code_core.protocol.validation import ValidationTool

LARGEST_TEXT = 2**20
"""Characters; longer texts are not checked."""


def check_syntax(name: str, text: str) -> tuple[ValidationTool, str | None] | None:
    """The format of a file by its name, and what is wrong with it; None where we know no format."""
    found = next(((tool, check) for suffix, tool, check in _FORMATS if name.endswith(suffix)), None)
    if found is None or len(text) > LARGEST_TEXT:
        return None
    tool, check = found
    try:
        check(text)
    except RecursionError:
        return tool, "nested too deeply to be checked"
    except ValueError as error:
        return tool, str(error)
    return tool, None


def _json(text: str) -> None:
    json.loads(text.removeprefix("\ufeff"))


def _json_lines(text: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _toml(text: str) -> None:
    tomllib.loads(text.replace("\r\n", "\n"))


def _yaml(text: str) -> None:
    import yaml  # here, because it takes 20 ms

    loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Events only: what is built from them can be as large as its author likes.
        for _ in yaml.parse(text, Loader=loader):
            pass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        where = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{problem}") from error


_FORMATS: tuple[tuple[str, ValidationTool, Callable[[str], None]], ...] = (
    (".json", "json", _json),
    (".jsonl", "json", _json_lines),
    (".toml", "toml", _toml),
    (".yaml", "yaml", _yaml),
    (".yml", "yaml", _yaml),
)
