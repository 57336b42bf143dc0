"""Tracks the file changes of a turn."""

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from code_core.frozen import frozen
from code_core.patch.edits import FileEdit
from code_core.patch.filesystem import FileState
from code_core.patch.git_format import file_diff, notice, shown_path
from code_core.patch.net_changes import NetChange, NetChanges

MAX_FILE_DIFF_CHARS = 2**18
MAX_DIFF_CHARS = 2**20


@frozen
class _Version:
    """A file's content hash and the remaining metadata that git records."""

    digest: str
    size: int
    git_mode: str


class TurnChanges:
    """Collects the edits of a turn and renders them as one diff.

    The versions that the diff needs are kept on disk, with equal contents stored once.

    Args:
        root: the base of the paths in the diff; the repository root, if any.
        folder: a private directory for this turn alone; created on demand and removed by `close`.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._changes = NetChanges(self._keep)

    def add(self, edits: Iterable[FileEdit]) -> None:
        """Record edits that are now on disk, in order.

        Raises:
            OSError: their versions could not be saved.
        """
        for edit in edits:
            self._changes.add(edit)
        needed = {version.digest for version in self._changes.versions}
        with suppress(FileNotFoundError):
            for file in self._folder.iterdir():
                if file.name not in needed:
                    file.unlink()

    def diff(self) -> str:
        """Return the git-style diff from the start of the turn to now; empty if nothing changed.

        A diff over 256 Ki characters, or beyond a total of 1 Mi, is replaced by a line in square
        brackets, which `git apply` skips.

        Raises:
            OSError: a version is no longer on disk.
        """
        parts: list[str] = []
        size = 0
        for change in self._changes:
            name = shown_path(change.new_path, self._root)
            if size > MAX_DIFF_CHARS:
                part = notice(name, "not shown, because the diffs of this turn are too large together")
            else:
                part = file_diff(
                    NetChange(
                        change.old_path, change.new_path, self._kept(change.old), self._kept(change.new)
                    ),
                    self._root,
                )
                if len(part) > MAX_FILE_DIFF_CHARS:
                    part = notice(name, f"its diff has {len(part):,} characters and is not shown")
            parts.append(part)
            size += len(part)
        return "".join(parts)

    def close(self) -> None:
        """Remove the saved versions."""
        import shutil

        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self, state: FileState) -> _Version:
        version = _Version(sha256(state.data).hexdigest(), len(state.data), state.git_mode)
        file = self._folder / version.digest
        if not file.exists():
            for folder in (
                self._folder.parent,
                self._folder,
            ):  # with `parents=True`, `mode` applies only to the last one
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(state.data)
        return version

    def _kept(self, version: _Version | None) -> FileState | None:
        if version is None:
            return None
        data = (self._folder / version.digest).read_bytes()
        return FileState(data, int(version.git_mode, 8) & 0o777, link=version.git_mode == "120000")
