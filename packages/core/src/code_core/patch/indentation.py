"""Adjusts the indentation of added lines when a patch shifts all lines of a chunk alike."""

from collections.abc import Callable, Sequence


def indentation_shift(
    wanted: Sequence[str], found: Sequence[str], *, all_context: bool
) -> Callable[[str], str] | None:
    """Return a function from the patch's indentation to the file's, or None if it is not a constant shift.

    Args:
        wanted: the lines in the patch.
        found: the same lines in the file.
        all_context: whether none of them is removed. If exactly one space is missing, it is the context marker
            that the patch omitted, and its other lines are right.
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
