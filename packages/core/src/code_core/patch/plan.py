"""Computes the effects of a patch on the files before anything is written."""

from dataclasses import replace
from pathlib import Path

from code_core.frozen import frozen
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.encoding import NotTextError
from code_core.patch.errors import PatchMatchError, PatchReadError
from code_core.patch.filesystem import FileState, FileSystem
from code_core.patch.locate import apply_chunks
from code_core.patch.model import AddFile, Chunk, DeleteFile, Patch, UpdateFile
from code_core.patch.sources import Forecast, Sources, read_sources

MAX_WRITTEN_BYTES = 128 * 2**20
_OWNER_MAY = 0o700
_GROUP_MAY = 0o070
_ACCESS_LIST = "system.posix_acl_access"
"""The attribute with an access control list. The file's mode then has the list's mask as group bits; see acl(5)."""


@frozen
class PatchPlan:
    """The edits in patch order, with absolute paths without symbolic links."""

    edits: tuple[FileEdit, ...]

    @property
    def paths(self) -> list[Path]:
        """Every path that is written or deleted, including move targets."""
        paths: list[Path] = []
        for edit in self.edits:
            paths.append(edit.path)
            if isinstance(edit, Updated) and edit.move_to is not None:
                paths.append(edit.move_to)
        return paths


async def plan_patch(patch: Patch, files: FileSystem, directory: Path) -> PatchPlan:
    """Read the files in `patch` and plan its edits; see `plan_edits`.

    Raises:
        PatchMatchError: a chunk does not fit its file, or the whole patch changes nothing.
        PatchReadError: a file is missing, a directory, binary or unreadable, or the total size is too large.
    """
    return plan_edits(patch, await read_sources(patch, files, directory))


def plan_edits(patch: Patch, sources: Sources) -> PatchPlan:
    """Return the edits of `patch` for the files that were read for it.

    Hunks see the effects of earlier hunks. Symbolic links are followed, except for one that is itself
    deleted or moved. A changed file keeps its permissions and owner, even when it moves; a file that a
    move overwrites keeps its own permissions, without its extended attributes and without becoming
    accessible to anyone who could not access the moved file. At most 128 MiB are written in total.

    Raises:
        PatchMatchError: a chunk does not fit its file, or the whole patch changes nothing.
        PatchReadError: a file is missing, a directory, binary or unreadable, or too much would be written.
    """
    forecast = Forecast(sources)
    edits: list[FileEdit] = []
    written = 0
    for hunk in patch.hunks:
        match hunk:
            case AddFile(path=path, content=content):
                edits.append(_add(forecast.file(path), content, forecast))
            case DeleteFile(path=path):
                name, problem = forecast.name(path), f"Failed to delete file {sources.absolute(path)}"
                edits.append(Deleted(name, forecast.existing(name, problem)))
                forecast.delete(name)
            case _:
                edits.append(_update(hunk, sources.absolute(hunk.path), forecast))
        written += 0 if isinstance(edit := edits[-1], Deleted) else len(edit.new.data)
        if written > MAX_WRITTEN_BYTES:
            raise PatchReadError(
                f"The patch would write more than {MAX_WRITTEN_BYTES:,} bytes: split it into several patches."
            )
    if all(isinstance(edit, Updated) and edit.move_to is None and edit.new == edit.old for edit in edits):
        raise PatchMatchError("No files were modified. The old and the new lines of the patch are the same.")
    return PatchPlan(tuple(edits))


def _add(file: Path, content: str, forecast: Forecast) -> Added:
    overwritten = forecast.regular(file, f"Failed to write file {file}")
    data = content.encode("utf-8", "surrogateescape")
    new = FileState(data) if overwritten is None else replace(overwritten, data=data)
    forecast.write(file, new)
    return Added(file, new, overwritten)


def _update(hunk: UpdateFile, path: Path, forecast: Forecast) -> Updated:
    problem = f"Failed to read file to update {path}"
    file = forecast.file(hunk.path)
    old = forecast.regular(file, problem) or forecast.existing(file, problem)
    new = replace(old, data=_changed(old.data, hunk.chunks, path, problem)) if hunk.chunks else old
    target = file if hunk.move_to is None else forecast.file(hunk.move_to)
    if target == file:
        forecast.write(file, new)
        return Updated(file, old, new)
    name = forecast.name(hunk.path)
    link = None if name == file else forecast.existing(name, problem)
    overwritten = forecast.regular(target, f"Failed to write file {target}")
    if overwritten is not None:
        new = replace(new, mode=_no_more_open(overwritten, old), owner=overwritten.owner, attributes=())
    forecast.delete(name)
    forecast.write(target, new)
    return Updated(name, old, new, target, overwritten, link)


def _changed(data: bytes, chunks: tuple[Chunk, ...], path: Path, problem: str) -> bytes:
    try:
        return apply_chunks(data, chunks, str(path))
    except NotTextError as error:
        raise PatchReadError(f"{problem}: {error}") from error


def _no_more_open(overwritten: FileState, moved: FileState) -> int | None:
    """Return the mode of a file with the content of `moved` and the owner of `overwritten`."""
    if overwritten.mode is None or moved.mode is None:
        return overwritten.mode
    mode = overwritten.mode & (moved.mode | _OWNER_MAY)
    if any(name == _ACCESS_LIST for name, _ in (*overwritten.attributes, *moved.attributes)):
        return mode & ~_GROUP_MAY  # the list that limited the group is lost
    return mode
