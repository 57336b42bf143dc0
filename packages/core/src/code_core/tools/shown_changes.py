"""Edits as events show them: readable text, of bounded length."""

import re
from collections.abc import Sequence

from code_core.patch.diff import differing_part, unified_diff
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.encoding import NotTextError, encoding_of, text_of
from code_core.patch.filesystem import FileState
from code_core.protocol.file_changes import (
    AddBody,
    AddChange,
    DeleteBody,
    DeleteChange,
    FileChange,
    UpdateBody,
    UpdateChange,
)

MAX_CHANGE_CHARS = 2**18
MAX_CHANGES_CHARS = 2**20
MAX_COMPARED_BYTES = 8 * 2**20

_POSITIONS = re.compile(r"^@@ -[\d,]+ \+[\d,]+ @@$", re.MULTILINE)


def shown_changes(edits: Sequence[FileEdit]) -> dict[str, FileChange]:
    """The edits by path, in patch order.

    A text is in its file's encoding. One of more than 256 Ki characters, or what makes all of
    them more than 1 Mi, is cut after a whole line; a last line says how many are missing. A file
    that a patch adds over another is shown as an update of that.
    """
    changes: dict[str, FileChange] = {}
    left = MAX_CHANGES_CHARS
    for edit in edits:
        most = min(MAX_CHANGE_CHARS, left)
        match edit:
            case Added(path=path, new=new, overwritten=None):
                text = _cut(_text(new), most, "…")
                changes[str(path)] = AddChange(add=AddBody(content=text))
            case Deleted(path=path, old=old):
                text = _cut(_text(old), most, "…")
                changes[str(path)] = DeleteChange(delete=DeleteBody(content=text))
            case Added(path=path, new=new, overwritten=FileState() as old):
                text = _cut(_diff(old, new), most, "\\")
                changes[str(path)] = UpdateChange(update=UpdateBody(unified_diff=text))
            case Updated(path=path, old=old, new=new, move_to=move_to, overwritten=replaced):
                text = _cut(_diff(old, new), most, "\\")
                gone = None if replaced is None else _cut(_text(replaced), max(0, most - len(text)), "…")
                body = UpdateBody(unified_diff=text, move_path=move_to, overwritten=gone)
                changes[str(path)] = UpdateChange(update=body)
        left = max(0, left - len(text))
    return changes


def is_same_change(edits: Sequence[FileEdit], others: Sequence[FileEdit]) -> bool:
    """Whether both do the same to the same files, though perhaps on other lines of them."""
    return len(edits) == len(others) and all(map(_is_same, edits, others))


def _is_same(edit: FileEdit, other: FileEdit) -> bool:
    if edit == other:
        return True
    match edit, other:
        case Updated(), Updated():
            names = (edit.path, edit.move_to, edit.overwritten, edit.link is None)
            if names != (other.path, other.move_to, other.overwritten, other.link is None):
                return False
            diffs = [_POSITIONS.sub("@@", _diff(one.old, one.new)) for one in (edit, other)]
            return diffs[0] == diffs[1]
        case _:
            return False


def _text(state: FileState) -> str:
    try:
        return text_of(state.data)
    except NotTextError:
        return f"(binary file, {len(state.data):,} bytes)\n"


def _diff(old: FileState, new: FileState) -> str:
    try:
        before, after = encoding_of(old.data), encoding_of(new.data)
    except NotTextError:
        if old.data == new.data:
            return ""
        return f"\\ Binary files differ: {len(old.data):,} bytes before, {len(new.data):,} after\n"
    data_before, data_after, line = old.data, new.data, 0
    wide = max(before.unit, after.unit) > 1  # then a line may begin where no character does
    if wide or before.mark == after.mark:
        data_before, data_after = data_before[len(before.mark) :], data_after[len(after.mark) :]
    if not wide:
        line, part_before, part_after = differing_part(data_before, data_after)
        data_before, data_after = data_before[part_before], data_after[part_after]
    if len(data_before) + len(data_after) > MAX_COMPARED_BYTES:
        return f"\\ Too large to be compared: {len(old.data):,} bytes before, {len(new.data):,} after\n"
    return unified_diff(before.decode(data_before), after.decode(data_after), line)


def _cut(text: str, most: int, mark: str) -> str:
    if len(text) <= most:
        return text
    stop = text.rfind("\n", 0, most) + 1
    rest = text.count("\n", stop) + (not text.endswith("\n"))
    return f"{text[:stop]}{mark} {rest:,} more line{' is' if rest == 1 else 's are'} not shown\n"
