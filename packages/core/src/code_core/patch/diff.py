"""Formats differences between texts as the hunks of a unified diff.

Source of the format: git's documentation, "Generating patch text with -p".
"""

from collections.abc import Iterator, Sequence

from code_core.patch.compare import Span, differences

CONTEXT_LINES = 3
NO_NEWLINE = "\\ No newline at end of file\n"

_PIECE = 2**12


def unified_diff(old: str, new: str, first_line: int = 0) -> str:
    """Return the hunks that turn `old` into `new`, with three lines of context and no file header; in linear time.

    Args:
        old: the text before.
        new: the text after.
        first_line: the number of lines before both texts.
    """
    before, after = _lines(old), _lines(new)
    hunks = _grouped(differences(before, after))
    return "".join(line for spans in hunks for line in _hunk(before, after, spans, first_line))


def differing_part(old: bytes, new: bytes) -> tuple[int, slice, slice]:
    """Find the part where two files differ, with the context lines that a diff shows.

    Returns:
        The number of lines before it, and the parts of `old` and `new`, both consisting of whole lines.
    """
    start = equal = _equal_bytes(old, new)
    for _ in range(CONTEXT_LINES + 1):
        start = max(old.rfind(b"\n", 0, max(start, 0)), -1)
    start += 1
    stop = -_equal_bytes_at_end(old, new, min(len(old), len(new)) - equal)
    for _ in range(CONTEXT_LINES + 1):
        found = old.find(b"\n", len(old) + stop)
        stop = found + 1 - len(old) if found >= 0 else 0
    return old.count(b"\n", 0, start), slice(start, len(old) + stop), slice(start, len(new) + stop)


def _equal_bytes(old: bytes, new: bytes) -> int:
    """Number of equal bytes at the beginning."""
    most = min(len(old), len(new))
    equal = 0
    while equal < most and old[equal : equal + _PIECE] == new[equal : equal + _PIECE]:
        equal += _PIECE
    rest = min(_PIECE, most - equal)
    return equal + next((n for n in range(rest) if old[equal + n] != new[equal + n]), rest)


def _equal_bytes_at_end(old: bytes, new: bytes, most: int) -> int:
    """Number of equal bytes among the last `most` bytes, up to the last one that differs."""
    equal = 0
    a, b = len(old), len(new)
    while equal + _PIECE <= most and (
        old[a - equal - _PIECE : a - equal] == new[b - equal - _PIECE : b - equal]
    ):
        equal += _PIECE
    while equal < most and old[a - equal - 1] == new[b - equal - 1]:
        equal += 1
    return equal


def _grouped(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Group spans that are close enough to share a hunk."""
    group: list[Span] = []
    for span in spans:
        if group and span[0] - group[-1][1] > 2 * CONTEXT_LINES:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _hunk(before: list[str], after: list[str], spans: list[Span], first_line: int) -> Iterator[str]:
    leading = min(CONTEXT_LINES, spans[0][0])
    at, new_start = spans[0][0] - leading, spans[0][2] - leading
    trailing = min(CONTEXT_LINES, len(before) - spans[-1][1])
    old_stop, new_stop = spans[-1][1] + trailing, spans[-1][3] + trailing
    old_extent = _extent(first_line + at, first_line + old_stop)
    yield f"@@ -{old_extent} +{_extent(first_line + new_start, first_line + new_stop)} @@\n"
    for a, b, c, d in [*spans, (old_stop, old_stop, new_stop, new_stop)]:
        for sign, lines in ((" ", before[at:a]), ("-", before[a:b]), ("+", after[c:d])):
            for line in lines:
                yield f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{NO_NEWLINE}"
        at = b


def _extent(start: int, stop: int) -> str:
    """The first line and count; an empty extent is named by the line before it."""
    match stop - start:
        case 0:
            return f"{start},0"
        case 1:
            return f"{start + 1}"
        case count:
            return f"{start + 1},{count}"


def _lines(text: str) -> list[str]:
    """The lines with their newlines; as in git, a carriage return is part of its line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines
