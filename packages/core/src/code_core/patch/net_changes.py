"""Computes the net effect of a series of edits on each file."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from code_core.frozen import frozen
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.filesystem import FileState

Version = TypeVar("Version")


@frozen
class NetChange(Generic[Version]):
    """A file that differs from its initial state; `old` or `new` is None if it did not or does not exist."""

    old_path: Path
    new_path: Path
    old: Version | None
    new: Version | None


class NetChanges(Generic[Version]):
    """Tracks each file that exists now or existed initially: its initial path, and its old and new versions.

    Args:
        version: maps a file's state to what is remembered of it; equal versions mean equal files.
    """

    def __init__(self, version: Callable[[FileState], Version]) -> None:
        self._version = version
        self._first: dict[Path, Version | None] = {}
        self._now: dict[Path, Version | None] = {}
        self._origin: dict[Path, Path] = {}

    def add(self, edit: FileEdit) -> None:
        """Apply the next edit."""
        match edit:
            case Added(path=path, new=new, overwritten=overwritten):
                self._set(path, overwritten, new)
            case Deleted(path=path, old=old):
                self._set(path, old, None)
                self._origin.pop(path, None)
            case Updated(path=path, old=old, new=new, move_to=None):
                self._set(path, old, new)
            case Updated(path=path, new=new, move_to=Path() as target, overwritten=overwritten, link=None):
                self._set(path, edit.old, None)
                self._set(target, overwritten, new)
                self._origin[target] = self._origin.pop(path, path)
            case Updated(path=path, new=new, move_to=Path() as target, overwritten=overwritten, link=link):
                self._set(path, link, None)  # the moved text belongs to another file, which stays
                self._set(target, overwritten, new)

    @property
    def versions(self) -> Iterator[Version]:
        """Yield all versions that are still needed."""
        for versions in (self._first, self._now):
            yield from (version for version in versions.values() if version is not None)

    def __iter__(self) -> Iterator[NetChange[Version]]:
        """Yield the files that differ, in the order of their first change; a moved file once."""
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
            if path not in gone and (first != now or origin != path):
                yield NetChange(origin, path, first, now)

    def _set(self, path: Path, old: FileState | None, new: FileState | None) -> None:
        if path not in self._first:
            self._first[path] = None if old is None else self._version(old)
        self._now[path] = None if new is None else self._version(new)


def net_edits(edits: Sequence[FileEdit]) -> list[FileEdit]:
    """Return edits with the same effect, at most one for each path, in the order of the first change."""
    changes = NetChanges[FileState](lambda state: state)
    for edit in edits:
        changes.add(edit)
    return [_edit(change) for change in changes]


def _edit(change: NetChange[FileState]) -> FileEdit:
    match change:
        case NetChange(new_path=path, old=None, new=FileState() as new):
            return Added(path, new)
        case NetChange(old_path=path, old=FileState() as old, new=FileState() as new):
            return Updated(path, old, new, None if change.new_path == path else change.new_path)
        case _:
            assert change.old is not None  # noqa: S101 - a file that never existed has not changed
            return Deleted(change.old_path, change.old)
