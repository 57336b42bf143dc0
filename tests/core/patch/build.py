"""Patches for tests: by hand, and from two files; edits and files from texts."""

from difflib import SequenceMatcher
from pathlib import Path
from random import Random

from code_core.patch import Added, Chunk, Deleted, FileState, MemoryFileSystem, Updated, apply_chunks


def state(text: str) -> FileState:
    return FileState(text.encode("utf-8", "surrogateescape"))


def added(path: Path, new: str, overwritten: str | None = None) -> Added:
    return Added(path, state(new), None if overwritten is None else state(overwritten))


def deleted(path: Path, old: str) -> Deleted:
    return Deleted(path, state(old))


def updated(
    path: Path, old: str, new: str, move_to: Path | None = None, overwritten: str | None = None
) -> Updated:
    return Updated(path, state(old), state(new), move_to, None if overwritten is None else state(overwritten))


def memory(files: dict[Path, str]) -> MemoryFileSystem:
    return MemoryFileSystem({path: state(text) for path, text in files.items()})


def texts(files: MemoryFileSystem) -> dict[Path, str]:
    return {path: file.data.decode("utf-8", "surrogateescape") for path, file in files.files.items()}


def apply_to_text(original: str, chunks: list[Chunk] | tuple[Chunk, ...], path: str) -> str:
    data = apply_chunks(original.encode("utf-8", "surrogateescape"), chunks, path)
    return data.decode("utf-8", "surrogateescape")


def wrapped(body: str) -> str:
    return f"*** Begin Patch\n{body}\n*** End Patch"


def chunk(*lines: str, context: tuple[str, ...] = (), end_of_file: bool = False) -> Chunk:
    return Chunk(context, lines, end_of_file)


Span = tuple[int, int, int, int]


def update_from(old: list[str], new: list[str], random: Random, path: str = "f") -> str:
    """A section that turns `old` into `new`, with as much context as `random` chooses and its position needs.

    The context before a change grows until its first match is the right position.
    """
    out = [f"*** Update File: {path}"]
    groups = _groups(old, new, random)
    at = 0
    for number, spans in enumerate(groups):
        start, stop = spans[0][0], spans[-1][1]
        end = groups[number + 1][0][0] - 1 if number + 1 < len(groups) else len(old)
        first, last = max(at, start - random.randrange(4)), min(stop + random.randrange(4), end)
        if first == last == at:
            last = min(last + 1, end)
        context = random.randrange(at, first) if at < first and random.random() < 0.5 else None
        end_of_file = last == len(old) and random.random() < 0.5
        while first > at and not _is_first_place(old, at, first, last, context, end_of_file=end_of_file):
            first, context = first - 1, None
        marked = number > 0 or context is not None or random.random() < 0.7
        if marked:
            out.append("@@" if context is None else f"@@ {old[context]}")
        lines = _signed(old, new, spans, first, last)
        # Without a marker, an empty line before the chunk does not belong to it.
        out += [
            "" if line == " " and (row or marked) and random.random() < 0.5 else line
            for row, line in enumerate(lines)
        ]
        if end_of_file and last > first:
            out.append("*** End of File")
        at = last
    return "\n".join(out)


def _groups(old: list[str], new: list[str], random: Random) -> list[list[Span]]:
    """The changes; those that are too close for context between them, and some others, together."""
    groups: list[list[Span]] = []
    for kind, *span in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        a, b, c, d = span
        if groups and a - groups[-1][-1][1] < random.choice([2, 2, 4]):
            groups[-1].append((a, b, c, d))
        else:
            groups.append([(a, b, c, d)])
    return groups


def _signed(old: list[str], new: list[str], spans: list[Span], first: int, last: int) -> list[str]:
    lines: list[str] = []
    at = first
    for a, b, c, d in spans:
        lines += [f" {line}" for line in old[at:a]] + [f"-{line}" for line in old[a:b]]
        lines += [f"+{line}" for line in new[c:d]]
        at = b
    return lines + [f" {line}" for line in old[at:last]]


def _is_first_place(
    old: list[str], at: int, first: int, last: int, context: int | None, *, end_of_file: bool
) -> bool:
    if first == last:
        return False
    if context is not None:
        line = old[context]
        if not line or line != line.rstrip() or old.index(line, at) != context:
            return False
        at = context + 1
    wanted = old[first:last]
    return end_of_file or next(a for a in range(at, first + 1) if old[a : a + len(wanted)] == wanted) == first
