"""What a turn has changed in files so far."""

from pathlib import Path

from code_core.patch import FileEdit, git_diff


class TurnChanges:
    """Collects the edits of a turn and shows them as one diff."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._edits: list[FileEdit] = []

    def add(self, edits: tuple[FileEdit, ...]) -> None:
        """Note edits that are now on disk, in order."""
        self._edits.extend(edits)

    def diff(self) -> str:
        """The git-style diff from the turn's start to now; empty when nothing changed."""
        return git_diff(self._edits, self._root)
