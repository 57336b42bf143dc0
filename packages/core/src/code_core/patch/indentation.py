"""Indents added lines like the file, when a patch has all of a chunk's lines shifted alike."""

from collections.abc import Callable, Sequence


def indentation_shift(
    wanted: Sequence[str], found: Sequence[str], *, all_context: bool
) -> Callable[[str], str] | None:
    """How to turn the patch's indentation into the file's; None if it is not a constant shift.

    Args:
        wanted: the lines as the patch has them.
        found: the same lines as the file has them.
        all_context: none of them is removed. One space too few is then the mark of context that the patch
            left out, and its other lines are right.
    """
    pairs = [
        (_indent(line), _indent(there)) for line, there in zip(wanted, found, strict=True) if line.strip()
    ]
    if not pairs:
        return None
    line, there = pairs[0]
    if there.endswith(line):
        added = there.removesuffix(line)
        if (all_context and added == " ") or any(there != added + line for line, there in pairs):
            return None
        return lambda new: added + new if new.strip() else new
    removed = line.removesuffix(there)
    if any(line != removed + there for line, there in pairs):
        return None
    return lambda new: new.removeprefix(removed) if new.startswith(removed) else new.lstrip(" \t")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
