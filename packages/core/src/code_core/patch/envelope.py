"""Finds the patch in what a model sent: it may be wrapped in JSON, in a heredoc or in a code fence."""

import json
import re

from code_core.patch.errors import PatchSyntaxError, excerpt

BEGIN = "*** Begin Patch"
END = "*** End Patch"
MAX_PATCH_CHARS = 16 * 2**20

_HEREDOC = re.compile(
    r"""(?:(?:apply_patch|applypatch)[ \t]*)?<<-?[ \t]*(?P<quote>['"]?)(?P<word>\w+)(?P=quote)[ \t]*"""
)


def patch_lines(text: str) -> list[str]:
    """The lines between the markers, without line ends.

    Raises:
        PatchSyntaxError: there is no begin marker, no end marker, or too much text.
    """
    if len(text) > MAX_PATCH_CHARS:
        raise PatchSyntaxError(
            f"Invalid patch: it has {len(text):,} characters; the limit is {MAX_PATCH_CHARS:,}"
        )
    lines = _unwrapped(_from_json(text)).split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    if not lines or lines[0].strip() != BEGIN:
        raise PatchSyntaxError(
            f"Invalid patch: the first line must be {BEGIN!r}. Received:\n{excerpt(text) or '(nothing)'}"
        )
    if len(lines) == 1 or lines[-1].strip() != END:
        lines = _with_end_on_its_own_line(lines, text)
    indent = lines[0][: lines[0].index("*")]
    return [line.removeprefix(indent) for line in lines[1:-1]]


def _with_end_on_its_own_line(lines: list[str], text: str) -> list[str]:
    """Split an end marker that a model glued to the last line."""
    last = lines[-1].rstrip()
    if len(lines) > 1 and last.endswith(END):
        return [*lines[:-1], last.removesuffix(END), END]
    raise PatchSyntaxError(f"Invalid patch: the last line must be {END!r}. Received:\n{excerpt(text)}")


def _from_json(text: str) -> str:
    """The patch inside of JSON arguments, or `text` when it is not JSON."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for _ in range(3):
        match value:
            case str():
                return value
            case {"input": inner} | {"patch": inner} | {"command": inner} | {"cmd": inner}:
                value = inner
            case ["apply_patch" | "applypatch", inner] | [inner]:
                value = inner
            case _:
                break
    return value if isinstance(value, str) else text


def _unwrapped(text: str) -> str:
    """`text` without the heredoc or the code fence around it."""
    stripped = text.strip()
    first, _, rest = stripped.partition("\n")
    body, _, last = rest.rpartition("\n")
    if (heredoc := _HEREDOC.fullmatch(first.strip())) and last.strip() == heredoc["word"]:
        return body
    if first.startswith("```") and last.strip() == "```":
        return body
    return text
