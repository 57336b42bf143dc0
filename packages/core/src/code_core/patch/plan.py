"""What a patch will do to the files, worked out before anything is written."""

from dataclasses import dataclass
from pathlib import Path

from code_core.patch.errors import PatchFileError, PatchMatchError
from code_core.patch.filesystem import FileSystem
from code_core.patch.locate import apply_chunks
from code_core.patch.model import AddFile, DeleteFile, Patch, UpdateFile


@dataclass(frozen=True, slots=True)
class Added:
    """A new file, or the new text of one that is replaced (its old text is in `overwritten`)."""

    path: Path
    new: str
    overwritten: str | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file that goes, and its last text."""

    path: Path
    old: str


@dataclass(frozen=True, slots=True)
class Updated:
    """A file that changes, moves, or both; a file at the target is replaced (its text is in `overwritten`)."""

    path: Path
    old: str
    new: str
    move_to: Path | None = None
    overwritten: str | None = None


FileEdit = Added | Deleted | Updated


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """The edits, in patch order, with absolute paths."""

    edits: tuple[FileEdit, ...]

    @property
    def paths(self) -> list[Path]:
        """Every path that is written or deleted, move targets included."""
        paths: list[Path] = []
        for edit in self.edits:
            paths.append(edit.path)
            if isinstance(edit, Updated) and edit.move_to is not None:
                paths.append(edit.move_to)
        return paths


async def plan_patch(patch: Patch, files: FileSystem, directory: Path) -> PatchPlan:
    """The edits that `patch` means, with relative paths taken from `directory`; only reads.

    Hunks see what the hunks before them did.

    Raises:
        PatchMatchError: a chunk does not fit its file.
        PatchFileError: a file is missing, a directory, or cannot be read.
    """
    view = _View(files)
    edits: list[FileEdit] = []
    for hunk in patch.hunks:
        path = _absolute(directory, hunk.path)
        match hunk:
            case AddFile(content=content):
                overwritten = await view.text_if_any(path)
                edits.append(Added(path, content, overwritten))
                view.write(path, content)
            case DeleteFile():
                edits.append(Deleted(path, await view.text(path, f"Failed to delete file {path}")))
                view.delete(path)
            case UpdateFile():
                edits.append(await _update(hunk, path, directory, view))
    return PatchPlan(tuple(edits))


async def _update(hunk: UpdateFile, path: Path, directory: Path, view: "_View") -> Updated:
    old = await view.text(path, f"Failed to read file to update {path}")
    new = apply_chunks(old, hunk.chunks, str(path)) if hunk.chunks else old
    target = _absolute(directory, hunk.move_to) if hunk.move_to is not None else None
    if target is None or target == path:
        if new == old:
            raise PatchMatchError(
                f"the update of {path} leaves it as it is: the old and the new lines are the same"
            )
        view.write(path, new)
        return Updated(path, old, new)
    overwritten = await view.text_if_any(target)
    view.delete(path)
    view.write(target, new)
    return Updated(path, old, new, target, overwritten)


def _absolute(directory: Path, path: str) -> Path:
    """`path` from `directory`, with `.` and `..` taken out as text; symlinks are left to whoever checks them."""
    parts: list[str] = []
    joined = directory / path
    for part in joined.parts[1:]:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return Path(joined.anchor, *parts)


class _View:
    """The files as they are after the edits planned so far."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._planned: dict[Path, str | None] = {}

    def write(self, path: Path, text: str) -> None:
        self._planned[path] = text

    def delete(self, path: Path) -> None:
        self._planned[path] = None

    async def text(self, path: Path, problem: str) -> str:
        """The file's text.

        Raises:
            PatchFileError: `problem`, and the reason.
        """
        try:
            if path in self._planned:
                planned = self._planned[path]
                if planned is None:
                    raise FileNotFoundError(2, "deleted or moved earlier in this patch")
                return planned
            return await self._files.read_text(path)
        except OSError as error:
            raise PatchFileError(f"{problem}: {error.strerror or error}") from error

    async def text_if_any(self, path: Path) -> str | None:
        """The text of a file that will be replaced; None if there is none."""
        if path in self._planned:
            return self._planned[path]
        try:
            return await self._files.read_text(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise PatchFileError(f"Failed to write file {path}: {error.strerror or error}") from error
