"""Formats file changes like git.

Source of the format: git's documentation, "Generating patch text with -p".
"""

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from code_core.patch.diff import differing_part, unified_diff
from code_core.patch.edits import FileEdit
from code_core.patch.filesystem import FileState
from code_core.patch.net_changes import NetChange, NetChanges

MAX_COMPARED_BYTES = 8 * 2**20
"""Size limit for comparing two versions of a file."""

_NO_BLOB = "0" * 40


def git_diff(edits: Iterable[FileEdit], root: Path) -> str:
    """Return one git-style diff of all `edits`, as `git apply` accepts it, with paths relative to `root`.

    Edits of the same file are combined; a file that ends up unchanged is omitted. A path outside
    of `root` is shown in full.
    """
    changes = NetChanges(lambda state: FileState(state.data, int(state.git_mode[3:], 8), None, state.link))
    for edit in edits:
        changes.add(edit)
    return "".join(file_diff(change, root) for change in changes)


def file_diff(change: NetChange[FileState], root: Path) -> str:
    """Return the git-style diff of one file, or a notice in square brackets if it is too large to compute."""
    old, new = change.old, change.new
    old_name, new_name = shown_path(change.old_path, root), shown_path(change.new_path, root)
    if old is not None and new is not None and old.link != new.link:
        # In git, a link and a file are different files: one is deleted and one added.
        path = change.old_path
        gone, came = NetChange(path, path, old, None), NetChange(change.new_path, change.new_path, None, new)
        return file_diff(gone, root) + file_diff(came, root)
    before, after = _quoted(f"a/{old_name}"), _quoted(f"b/{new_name}")
    header = [f"diff --git {before} {after}"]
    if old is None and new is not None:
        before = "/dev/null"
        header.append(f"new file mode {new.git_mode}")
    elif new is None and old is not None:
        after = "/dev/null"
        header.append(f"deleted file mode {old.git_mode}")
    elif old is not None and new is not None and old.git_mode != new.git_mode:
        header += [f"old mode {old.git_mode}", f"new mode {new.git_mode}"]
    if old_name != new_name:
        same = old is not None and new is not None and old.data == new.data
        header += ["similarity index 100%"] if same else []
        header += [f"rename from {_quoted(old_name)}", f"rename to {_quoted(new_name)}"]
    data_before, data_after = b"" if old is None else old.data, b"" if new is None else new.data
    if old is None or new is None or data_before != data_after:
        header.append(f"index {_blob(old)}..{_blob(new)}")
    if data_before != data_after:
        if b"\0" in data_before or b"\0" in data_after:
            header.append(f"Binary files {before} and {after} differ")
        else:
            line, part_before, part_after = differing_part(data_before, data_after)
            data_before, data_after = data_before[part_before], data_after[part_after]
            if len(data_before) + len(data_after) > MAX_COMPARED_BYTES:
                return notice(new_name, "its diff is too large to be shown")
            header += [f"--- {_ended(before)}", f"+++ {_ended(after)}"]
            hunks = unified_diff(_text(data_before), _text(data_after), line)
            return "\n".join(header) + "\n" + hunks
    return "\n".join(header) + "\n"


def notice(name: str, text: str) -> str:
    """Return a line that `git apply` skips, in place of an omitted diff."""
    return f"[{_quoted(name)}: {text}]\n"


def shown_path(path: Path, root: Path) -> str:
    """Return `path` relative to `root`, or the whole path without its first slash if it is not below."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix().lstrip("/")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _blob(state: FileState | None) -> str:
    """The id of a git blob with this content."""
    if state is None:
        return _NO_BLOB
    blob = sha1(b"blob %d\0" % len(state.data), usedforsecurity=False)
    blob.update(state.data)
    return blob.hexdigest()


def _ended(name: str) -> str:
    """`name` for a `---` or `+++` line, in which a tab terminates a name that contains a space."""
    return f"{name}\t" if " " in name else name


def _quoted(name: str) -> str:
    """`name` as git writes it: C-quoted if it contains control characters, quotes, backslashes or non-ASCII bytes."""
    if all(" " <= character <= "~" and character not in '"\\' for character in name):
        return name
    escapes = {0x22: '\\"', 0x5C: "\\\\", 0x09: "\\t", 0x0A: "\\n"}
    shown = (
        escapes.get(byte) or (chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03o}")
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f'"{"".join(shown)}"'
