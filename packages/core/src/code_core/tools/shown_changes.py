"""Converts edits for display in events: readable text of bounded length."""

import re
from collections.abc import Mapping, Sequence

from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.patch.diff import differing_part, unified_diff
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.encoding import NotTextError, encoding_of, text_of
from code_core.patch.filesystem import FileState
from code_core.patch.net_changes import net_edits
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

_POSITIONS = lazy_pattern(r"^@@ -[\d,]+ \+[\d,]+ @@$", re.MULTILINE)


@frozen
class ShownChanges:
    """A patch prepared for display.

    Attributes:
        changes: the changes by path, in patch order.
        hidden: files with new content that is not fully shown, so that nobody can approve it.
    """

    changes: Mapping[str, FileChange]
    hidden: tuple[str, ...] = ()


def shown_changes(edits: Sequence[FileEdit]) -> ShownChanges:
    """Return the edits as events show them.

    Text is decoded with the file's encoding. A text over 256 Ki characters, or beyond a total of 1 Mi, is
    cut after a complete line, followed by a line with the number of lines omitted. A file that a patch
    adds over an existing one is shown as an update. Several edits of one file are shown as one.
    """
    changes: dict[str, FileChange] = {}
    hidden: list[str] = []
    left = MAX_CHANGES_CHARS
    several = len({edit.path for edit in edits}) < len(edits)
    for edit in net_edits(edits) if several else edits:
        most = min(MAX_CHANGE_CHARS, left)
        path = str(edit.path)
        match edit:
            case Added(new=new, overwritten=None):
                text, is_whole = _cut(_content(new), most, "…")
                changes[path] = AddChange(add=AddBody(content=text))
            case Deleted(old=old):
                text, _ = _cut(_content(old), most, "…")
                is_whole = True  # the path says what is deleted
                link = text if old.link else None
                changes[path] = DeleteChange(delete=DeleteBody(content=text, link=link))
            case Added(new=new, overwritten=FileState() as old):
                text, is_whole = _cut(_difference(old, new), most, "\\")
                changes[path] = UpdateChange(update=UpdateBody(unified_diff=text))
            case Updated(old=old, new=new, move_to=move_to, overwritten=replaced, link=link_state):
                text, is_whole = _cut(_difference(old, new), most, "\\")
                gone = (
                    None if replaced is None else _cut(_content(replaced), max(0, most - len(text)), "…")[0]
                )
                body = UpdateBody(
                    unified_diff=text,
                    move_path=move_to,
                    overwritten=gone,
                    modes=None if old.git_mode == new.git_mode else (old.git_mode, new.git_mode),
                    link=None if link_state is None else _cut(_content(link_state), most, "…")[0],
                )
                changes[path] = UpdateChange(update=body)
        if not is_whole:
            hidden.append(path)
        left = max(0, left - len(text))
    return ShownChanges(changes, tuple(hidden))


def is_same_change(edits: Sequence[FileEdit], others: Sequence[FileEdit]) -> bool:
    """Whether both make the same change to the same files, even if at different lines."""
    return len(edits) == len(others) and all(map(_is_same, edits, others))


def _is_same(edit: FileEdit, other: FileEdit) -> bool:
    if edit == other:
        return True
    match edit, other:
        case Updated(), Updated():
            names = (edit.path, edit.move_to, edit.overwritten, edit.link is None)
            if names != (other.path, other.move_to, other.overwritten, other.link is None):
                return False
            diffs = [_difference(one.old, one.new) for one in (edit, other)]
            texts = [_POSITIONS.sub("", text) for text, _ in diffs]
            return texts[0] == texts[1] and all(is_whole for _, is_whole in diffs)
    return False


def _content(state: FileState) -> tuple[str, bool]:
    """The text of a file, or a description of it, and whether that shows everything."""
    try:
        return text_of(state.data), True
    except NotTextError:
        return f"(binary file, {len(state.data):,} bytes)\n", False


def _difference(old: FileState, new: FileState) -> tuple[str, bool]:
    """The difference, and whether it shows all new content."""
    if old.data == new.data:
        return "", True
    sizes = f"{len(old.data):,} bytes before, {len(new.data):,} after\n"
    try:
        after = encoding_of(new.data)
    except NotTextError:
        return f"\\ Binary files differ: {sizes}", False
    try:
        before = encoding_of(old.data)
    except NotTextError:
        return f"\\ Binary files differ: {sizes}{unified_diff('', text_of(new.data))}", True
    data_before, data_after, line = old.data, new.data, 0
    wide = max(before.unit, after.unit) > 1  # a line break byte may then be part of another character
    if wide or before.mark == after.mark:
        data_before, data_after = data_before[len(before.mark) :], data_after[len(after.mark) :]
    if not wide:
        line, part_before, part_after = differing_part(data_before, data_after)
        data_before, data_after = data_before[part_before], data_after[part_after]
    if len(data_before) + len(data_after) > MAX_COMPARED_BYTES:
        return f"\\ Too large to be compared: {sizes}", False
    return unified_diff(before.decode(data_before), after.decode(data_after), line), True


def _cut(shown: tuple[str, bool], most: int, mark: str) -> tuple[str, bool]:
    """Cut a text to `most` characters plus a line that counts the rest; and whether all of it is shown."""
    text, is_whole = shown
    if len(text) <= most:
        return text, is_whole
    stop = text.rfind("\n", 0, most) + 1
    rest = text.count("\n", stop) + (not text.endswith("\n"))
    return f"{text[:stop]}{mark} {rest:,} more line{' is' if rest == 1 else 's are'} not shown\n", False
