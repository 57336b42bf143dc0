"""File changes as unified diffs.

Source of the format: git's documentation, "Generating patch text with -p".
"""

import difflib
import os
from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from code_core.patch.plan import Added, Deleted, FileEdit, Updated

_NO_NEWLINE = "\\ No newline at end of file\n"
_NO_BLOB = "0" * 7


def unified_diff(old: str, new: str) -> str:
    """The hunks that make `new` of `old`, with three lines of context and no file header."""
    lines = difflib.unified_diff(_lines(old), _lines(new), n=3)
    hunks = [line for number, line in enumerate(lines) if number > 1]
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in hunks)


def git_diff(edits: Iterable[FileEdit], root: Path) -> str:
    """One git-style diff of all `edits` together, as `git apply` takes it, with paths from `root`.

    Edits of the same file are taken together; a file that ends as it began is left
    out, and so is one that only moved.
    """
    changes = _Changes()
    for edit in edits:
        changes.add(edit)
    return "".join(
        _file_diff(old_path, new_path, old, new, root) for old_path, new_path, old, new in changes.listed()
    )


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
            case Updated(path=path, old=old, new=new, move_to=None):
                self._set(path, old, new)
            case Updated(path=path, old=old, new=new, move_to=target, overwritten=overwritten) if (
                target is not None
            ):
                self._set(path, old, None)
                self._set(target, overwritten, new)
                origin = self._origin.pop(path, path)
                if self._first[target] is None and self._first.get(origin) is not None:
                    self._origin[target] = origin

    def listed(self) -> list[tuple[Path, Path, str | None, str | None]]:
        """`(old path, new path, old text, new text)` of every file that differs, in order of first change."""
        renamed = {
            target: origin
            for target, origin in self._origin.items()
            if self._now[target] is not None and self._now[origin] is None
        }
        gone = set(renamed.values())
        result = [
            (renamed.get(path, path), path, self._first[renamed.get(path, path)], now)
            for path, now in self._now.items()
            if path not in gone
        ]
        return [change for change in result if change[2] != change[3]]

    def _set(self, path: Path, old: str | None, new: str | None) -> None:
        self._first.setdefault(path, old)
        self._now[path] = new


def _file_diff(old_path: Path, new_path: Path, old: str | None, new: str | None, root: Path) -> str:
    before, after = _quoted("a", old_path, root), _quoted("b", new_path, root)
    header = [f"diff --git {before} {after}"]
    if old is None:
        header.append("new file mode 100644")
    if new is None:
        header.append("deleted file mode 100644")
    if old_path != new_path:
        header += [f"rename from {_bare(old_path, root)}", f"rename to {_bare(new_path, root)}"]
    mode = " 100644" if old is not None and new is not None else ""
    header.append(f"index {_blob(old)}..{_blob(new)}{mode}")
    left = before if old is not None else "/dev/null"
    right = after if new is not None else "/dev/null"
    if "\0" in (old or "") + (new or ""):
        return "\n".join([*header, f"Binary files {left} and {right} differ"]) + "\n"
    hunks = unified_diff(old or "", new or "")
    if hunks:
        header += [f"--- {left}", f"+++ {right}"]
    return "\n".join(header) + "\n" + hunks


def _lines(text: str) -> list[str]:
    """The lines with their newlines; a carriage return is part of its line, as it is for git."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _blob(text: str | None) -> str:
    """The start of the id that git gives to a blob with this text."""
    if text is None:
        return _NO_BLOB
    data = text.encode("utf-8", "surrogateescape")
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()[:7]


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix().lstrip("/")


def _bare(path: Path, root: Path) -> str:
    return _c_quoted(_relative(path, root))


def _quoted(prefix: str, path: Path, root: Path) -> str:
    return _c_quoted(f"{prefix}/{_relative(path, root)}")


def _c_quoted(name: str) -> str:
    """`name` as git writes it: in C quotes if it has control characters, quotes, backslashes or other bytes."""
    if all(" " <= character <= "~" and character not in '"\\' for character in name):
        return name
    escapes = {0x22: '\\"', 0x5C: "\\\\", 0x09: "\\t", 0x0A: "\\n"}
    shown = (
        escapes.get(byte) or (chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03o}")
        for byte in os.fsencode(name)
    )
    return f'"{"".join(shown)}"'
