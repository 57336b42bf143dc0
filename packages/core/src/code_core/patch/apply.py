"""Carries out a plan."""

from code_core.patch.errors import PatchApplyError
from code_core.patch.filesystem import FileSystem
from code_core.patch.plan import Added, Deleted, FileEdit, PatchPlan, Updated


async def apply_plan(plan: PatchPlan, files: FileSystem) -> None:
    """Write the edits in order, each file whole.

    Raises:
        PatchApplyError: a file could not be written; names what was done before and what was not.
    """
    for number, edit in enumerate(plan.edits):
        try:
            await _apply(edit, files)
        except OSError as error:
            raise PatchApplyError(_half_way(plan.edits, number, error)) from error


async def _apply(edit: FileEdit, files: FileSystem) -> None:
    match edit:
        case Added(path=path, new=new):
            await files.write_text(path, new)
        case Deleted(path=path):
            await files.delete(path)
        case Updated(path=path, new=new, move_to=None):
            await files.write_text(path, new)
        case Updated(path=path, new=new, move_to=target) if target is not None:
            await files.write_text(target, new)
            await files.delete(path)


def _half_way(edits: tuple[FileEdit, ...], number: int, error: OSError) -> str:
    failed = edits[number]
    verb = "delete" if isinstance(failed, Deleted) else "write"
    lines = [f"Failed to {verb} file {failed.path}: {error.strerror or error}"]
    if number:
        lines.append("These changes of the patch were made and stay:")
        lines += [f"  {edit.path}" for edit in edits[:number]]
    else:
        lines.append("No other file was changed.")
    if rest := edits[number + 1 :]:
        lines.append("These were not made:")
        lines += [f"  {edit.path}" for edit in rest]
    return "\n".join(lines)
