"""What a patch will do to the files, worked out before anything is written."""

from dataclasses import dataclass
from errno import EISDIR, ENOTDIR
from pathlib import Path

from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.errors import PatchMatchError, PatchReadError
from code_core.patch.filesystem import FileSystem
from code_core.patch.locate import apply_chunks
from code_core.patch.model import AddFile, DeleteFile, Patch, UpdateFile

MAX_PLANNED_CHARS = 256 * 2**20


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """The edits, in patch order, with absolute paths and no symlinks in them."""

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
    """The edits that `patch` means, with relative paths taken from the absolute `directory`; only reads.

    Hunks see what the hunks before them did. Symlinks are followed, but for one that is
    itself deleted or moved away. The old and new texts of all edits
    together have at most 256 Mi characters.

    Raises:
        PatchMatchError: a chunk does not fit its file, or the whole patch changes nothing.
        PatchReadError: a file is missing, a directory, cannot be read, or all of them are too large.
    """
    view = _View(files)
    edits: list[FileEdit] = []
    for hunk in patch.hunks:
        path = _absolute(directory, hunk.path)
        match hunk:
            case AddFile(content=content):
                file = await view.file(path)
                edits.append(Added(file, content, await view.text_if_any(file)))
                view.write(file, content)
            case DeleteFile():
                name, file = await view.name(path), await view.file(path)
                edits.append(Deleted(name, await view.text(file, f"Failed to delete file {path}")))
                view.delete(name)
            case _:
                edits.append(await _update(hunk, path, directory, view))
    if all(isinstance(edit, Updated) and edit.move_to is None and edit.new == edit.old for edit in edits):
        raise PatchMatchError("No files were modified. The old and the new lines of the patch are the same.")
    return PatchPlan(tuple(edits))


async def _update(hunk: UpdateFile, path: Path, directory: Path, view: "_View") -> Updated:
    file = await view.file(path)
    old = await view.text(file, f"Failed to read file to update {path}")
    new = apply_chunks(old, hunk.chunks, str(path)) if hunk.chunks else old
    target = file if hunk.move_to is None else await view.file(_absolute(directory, hunk.move_to))
    if target == file:
        view.write(file, new)
        return Updated(file, old, new)
    name = await view.name(path)
    overwritten = await view.text_if_any(target)
    view.delete(name)
    view.write(target, new)
    return Updated(name, old, new, target, overwritten)


def _absolute(directory: Path, path: str) -> Path:
    """`path` from `directory`, with `.` and `..` taken out as text; symlinks are left to whoever checks them."""
    joined = directory / path
    parts: list[str] = []
    for part in joined.relative_to(joined.anchor).parts:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    # POSIX lets two leading slashes be another root; nothing that runs us makes it one.
    return Path("/" if joined.anchor == "//" else joined.anchor, *parts)


class _View:
    """The files as they are after the edits planned so far."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._planned: dict[Path, str | None] = {}
        self._directories: set[Path] = set()  # that writing makes; a deleted file leaves its own
        self._chars = 0

    async def name(self, path: Path) -> Path:
        """`path` without symlinks above it."""
        return await self._files.resolve(path.parent) / path.name

    async def file(self, path: Path) -> Path:
        """The file that `path` means, through symlinks that are still there."""
        name = await self.name(path)
        return name if name in self._planned else await self._files.resolve(name)

    def write(self, path: Path, text: str) -> None:
        self._count(text)
        self._planned[path] = text
        self._directories.update(path.parents)

    def delete(self, path: Path) -> None:
        self._planned[path] = None

    async def text(self, path: Path, problem: str) -> str:
        """The file's text.

        Raises:
            PatchReadError: `problem`, and the reason.
        """
        text = await self._text(path, problem)
        if text is None:
            gone = "it was deleted or moved earlier in this patch"
            raise PatchReadError(
                f"{problem}: {gone if path in self._planned else 'No such file or directory'}"
            )
        return text

    async def text_if_any(self, path: Path) -> str | None:
        """The text of a file that will be replaced; None if there is none."""
        return await self._text(path, f"Failed to write file {path}")

    async def _text(self, path: Path, problem: str) -> str | None:
        try:
            text = await self._current(path)
        except OSError as error:
            raise PatchReadError(f"{problem}: {error.strerror or error}") from error
        self._count(text or "")
        return text

    async def _current(self, path: Path) -> str | None:
        if path in self._directories:
            raise IsADirectoryError(EISDIR, "Is a directory")
        if path in self._planned:
            return self._planned[path]
        for parent in path.parents:
            if parent in self._planned:
                if self._planned[parent] is not None:
                    raise NotADirectoryError(ENOTDIR, "Not a directory")
                return None  # what was a file has nothing below it
        return await self._files.read_text(path) if await self._files.exists(path) else None

    def _count(self, text: str) -> None:
        self._chars += len(text)
        if self._chars > MAX_PLANNED_CHARS:
            raise PatchReadError(
                f"The patch's files have more than {MAX_PLANNED_CHARS:,} characters, old and new together: "
                "split it into several patches"
            )
