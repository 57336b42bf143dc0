"""File changes as unified diffs.

Source of the format: git's documentation, "Generating patch text with -p".
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha1
from pathlib import Path

from code_core.patch.compare import Span, differences
from code_core.patch.edits import Added, Deleted, FileEdit, Updated

CONTEXT_LINES = 3

_NO_NEWLINE = "\\ No newline at end of file\n"
_NO_BLOB = "0" * 40


def unified_diff(old: str, new: str) -> str:
    """The hunks that make `new` of `old`, with three lines of context and no file header; in linear time."""
    before, after = _lines(old), _lines(new)
    hunks = _grouped(differences(before, after))
    return "".join(line for spans in hunks for line in _hunk(before, after, spans))


def git_diff(edits: Iterable[FileEdit], root: Path) -> str:
    """One git-style diff of all `edits` together, as `git apply` takes it, with paths from `root`.

    Edits of the same file are taken together; a file that ends as it began is left
    out, and so is one that only moved. A path outside of `root` is shown whole.
    """
    changes = _Changes()
    for edit in edits:
        changes.add(edit)
    return "".join(_file_diff(*change, root) for change in changes.listed())


def _grouped(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """The spans that are so close that they share a hunk."""
    group: list[Span] = []
    for span in spans:
        if group and span[0] - group[-1][1] > 2 * CONTEXT_LINES:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _hunk(before: list[str], after: list[str], spans: list[Span]) -> Iterator[str]:
    leading = min(CONTEXT_LINES, spans[0][0])
    at, new_start = spans[0][0] - leading, spans[0][2] - leading
    trailing = min(CONTEXT_LINES, len(before) - spans[-1][1])
    old_stop, new_stop = spans[-1][1] + trailing, spans[-1][3] + trailing
    yield f"@@ -{_extent(at, old_stop)} +{_extent(new_start, new_stop)} @@\n"
    for a, b, c, d in [*spans, (old_stop, old_stop, new_stop, new_stop)]:
        for sign, lines in ((" ", before[at:a]), ("-", before[a:b]), ("+", after[c:d])):
            for line in lines:
                yield f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{_NO_NEWLINE}"
        at = b


def _extent(start: int, stop: int) -> str:
    """First line and count; an empty extent is named by the line before it."""
    match stop - start:
        case 0:
            return f"{start},0"
        case 1:
            return f"{start + 1}"
        case count:
            return f"{start + 1},{count}"


class _Changes:
    """For each file that exists now or did at first: where it was, and its text then and now."""

    def __init__(self) -> None:
        self._first: dict[Path, str | None] = {}
        self._now: dict[Path, str | None] = {}
        self._origin: dict[Path, Path] = {}

    def add(self, edit: FileEdit) -> None:
        match edit:
            case Added(path=path, new=new, overwritten=overwritten):
                self._set(path, overwritten, new)
            case Deleted(path=path, old=old):
                self._set(path, old, None)
                self._origin.pop(path, None)
            case Updated(path=path, old=old, new=new, move_to=Path() as target, overwritten=overwritten):
                self._set(path, old, None)
                self._set(target, overwritten, new)
                self._origin[target] = self._origin.pop(path, path)
            case _:
                self._set(edit.path, edit.old, edit.new)

    def listed(self) -> Iterator[tuple[Path, Path, str | None, str | None]]:
        """`(old path, new path, old text, new text)` of every file that differs, in order of first change."""
        renamed: dict[Path, Path] = {}
        gone: set[Path] = set()
        for target, origin in self._origin.items():
            new_name = self._first[target] is None and self._now[target] is not None
            old_name = self._first[origin] is not None and self._now[origin] is None
            if new_name and old_name and origin not in gone:
                renamed[target] = origin
                gone.add(origin)
        for path, now in self._now.items():
            origin = renamed.get(path, path)
            first = self._first[origin]
            if path not in gone and first != now:
                yield origin, path, first, now

    def _set(self, path: Path, old: str | None, new: str | None) -> None:
        self._first.setdefault(path, old)
        self._now[path] = new


def _file_diff(old_path: Path, new_path: Path, old: str | None, new: str | None, root: Path) -> str:
    old_name, new_name = _relative(old_path, root), _relative(new_path, root)
    before, after = _quoted(f"a/{old_name}"), _quoted(f"b/{new_name}")
    header = [f"diff --git {before} {after}"]
    if old is None:
        before = "/dev/null"
        header.append("new file mode 100644")
    if new is None:
        after = "/dev/null"
        header.append("deleted file mode 100644")
    if old_name != new_name:
        header += [f"rename from {_quoted(old_name)}", f"rename to {_quoted(new_name)}"]
    header.append(f"index {_blob(old)}..{_blob(new)}")
    if "\0" in (old or "") or "\0" in (new or ""):
        return "\n".join([*header, f"Binary files {before} and {after} differ"]) + "\n"
    hunks = unified_diff(old or "", new or "")
    if hunks:  # an empty file that comes or goes has none
        header += [f"--- {_ended(before)}", f"+++ {_ended(after)}"]
    return "\n".join(header) + "\n" + hunks


def _lines(text: str) -> list[str]:
    """The lines with their newlines; a carriage return is part of its line, as it is for git."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _blob(text: str | None) -> str:
    """The id that git gives to a blob with this text."""
    if text is None:
        return _NO_BLOB
    data = text.encode("utf-8", "surrogateescape")
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix().lstrip("/")


def _ended(name: str) -> str:
    """`name` as it stands in a `---` or `+++` line, where a tab ends one that has a space."""
    return f"{name}\t" if " " in name else name


def _quoted(name: str) -> str:
    """`name` as git writes it: in C quotes if it has control characters, quotes, backslashes or other bytes."""
    if all(" " <= character <= "~" and character not in '"\\' for character in name):
        return name
    escapes = {0x22: '\\"', 0x5C: "\\\\", 0x09: "\\t", 0x0A: "\\n"}
    shown = (
        escapes.get(byte) or (chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03o}")
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f'"{"".join(shown)}"'
