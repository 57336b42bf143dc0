"""Carries out a plan."""

from dataclasses import dataclass
from pathlib import Path

from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.errors import PatchApplyError
from code_core.patch.filesystem import FileSystem
from code_core.patch.plan import PatchPlan

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Write:
    path: Path
    text: str

    def __str__(self) -> str:
        return f"write file {self.path}"


@dataclass(frozen=True, slots=True)
class _Delete:
    path: Path
    moved: _Write | None = None

    def __str__(self) -> str:
        return f"delete file {self.path}"


_Step = _Write | _Delete


async def apply_plan(plan: PatchPlan, files: FileSystem) -> None:
    """Write the edits in order, each file whole; a move writes the new file before it deletes the old.

    Raises:
        PatchApplyError: a file could not be written or deleted; names what was done before and what was not.
    """
    steps = [_steps(edit) for edit in plan.edits]
    for number, edit in enumerate(plan.edits):
        for taken, step in enumerate(steps[number]):
            try:
                await _take(step, files)
            except OSError as error:
                done = [*_flat(steps[:number]), *steps[number][:taken]]
                rest = [*steps[number][taken + 1 :], *_flat(steps[number + 1 :])]
                applied = plan.edits[:number]
                if taken and isinstance(edit, Updated) and edit.move_to is not None:
                    applied += (Added(edit.move_to, edit.new, edit.overwritten),)
                raise PatchApplyError(_half_way(step, error, done, rest), applied) from error


def _steps(edit: FileEdit) -> list[_Step]:
    match edit:
        case Deleted(path=path):
            return [_Delete(path)]
        case Updated(path=path, new=new, move_to=Path() as target):
            write = _Write(target, new)
            return [write, _Delete(path, write)]
        case _:
            return [_Write(edit.path, edit.new)]


async def _take(step: _Step, files: FileSystem) -> None:
    if isinstance(step, _Write):
        await files.write_text(step.path, step.text)
        return
    await files.delete(step.path)
    # Both may be names of one file, through a link or by another case: then it comes back.
    if step.moved is not None and not await files.exists(step.moved.path):
        await files.write_text(step.moved.path, step.moved.text)


def _half_way(failed: _Step, error: OSError, done: list[_Step], rest: list[_Step]) -> str:
    lines = [f"Failed to {failed}: {error.strerror or error}"]
    lines += (
        ["These changes of the patch were made and stay:", *_shown(done)]
        if done
        else ["No file was changed."]
    )
    if rest:
        lines += ["These were not made:", *_shown(rest)]
    return "\n".join(lines)


def _shown(steps: list[_Step]) -> list[str]:
    lines = [f"  {step}" for step in steps[:MOST_SHOWN]]
    return lines if len(steps) <= MOST_SHOWN else [*lines, f"  and {len(steps) - MOST_SHOWN:,} more"]


def _flat(steps: list[list[_Step]]) -> list[_Step]:
    return [step for some in steps for step in some]
