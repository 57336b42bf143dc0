"""Extracts the patch from a model's message, which may wrap it in JSON, a heredoc or a code fence."""

import json

from code_core.lazy_pattern import lazy_pattern
from code_core.patch.errors import PatchSyntaxError, excerpt

BEGIN = "*** Begin Patch"
END = "*** End Patch"
MAX_PATCH_CHARS = 16 * 2**20
MAX_JSON_LAYERS = 8

_HEREDOC = lazy_pattern(
    r"""(?:(?:apply_patch|applypatch)[ \t]*)?<<-?[ \t]*(?P<quote>['"]?)(?P<word>\w+)(?P=quote)"""
)


def patch_lines(text: str) -> list[str]:
    """Return the lines between the markers, without line endings.

    Raises:
        PatchSyntaxError: a marker is missing, or the text is too long or cannot be encoded.
    """
    if len(text) > MAX_PATCH_CHARS:
        raise PatchSyntaxError(
            f"Invalid patch: it has {len(text):,} characters; the limit is {MAX_PATCH_CHARS:,}. "
            "Split it into several patches."
        )
    lines = [line.removesuffix("\r") for line in _unwrapped(_from_json(text)).split("\n")]
    if lines[0].strip() != BEGIN:
        raise PatchSyntaxError(
            f"Invalid patch: the first line must be '{BEGIN}'. Received:\n{excerpt(text) or '(nothing)'}"
        )
    end = lines.pop().rstrip()
    if end.lstrip() != END:
        if not lines or not end.endswith(END):
            raise PatchSyntaxError(
                f"Invalid patch: the last line must be '{END}'. Received:\n{excerpt(text)}"
            )
        lines.append(end.removesuffix(END))  # an end marker at the end of the last line
    _check_encodable(lines)
    return _dedented(lines[1:])


def _check_encodable(lines: list[str]) -> None:
    """Reject lone surrogates, which JSON can express and no file can contain."""
    try:
        # Surrogate escapes stand for bytes that are not UTF-8, which a file can contain.
        "\n".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        number = error.object.count("\n", 0, error.start) + 1
        raise PatchSyntaxError(
            f"Invalid patch: line {number} has a lone surrogate, which is not a valid character"
        ) from None


def _dedented(lines: list[str]) -> list[str]:
    """`lines` without the indentation of the first marker if all have it, because a valid patch is not indented."""
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if indent and all(line.startswith(indent) or not line.strip() for line in lines):
        return [line[len(indent) :] for line in lines]
    return lines


def _from_json(text: str) -> str:
    """The patch within JSON arguments, or `text` itself."""
    value: object = text
    for _ in range(MAX_JSON_LAYERS):
        match value:
            case str() if value.lstrip().startswith(("{", "[", '"')):
                try:
                    value = json.loads(value, strict=False)  # models do not escape newlines
                except (ValueError, RecursionError):
                    return text
            case str():
                return value
            case {"input": inner} | {"patch": inner} | {"command": inner} | {"cmd": inner}:
                value = inner
            case [*_, inner]:  # ["apply_patch", patch] and ["bash", "-lc", script]
                value = inner
            case _:
                break
    return text


def _unwrapped(text: str) -> str:
    """`text` without surrounding white space, heredoc or code fence."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    body, _, last = rest.rpartition("\n")
    if (heredoc := _HEREDOC.fullmatch(first.strip())) and last.strip() == heredoc["word"]:
        return body.strip()
    if first.startswith("```") and last.strip() == "```":
        return body.strip()
    return text
