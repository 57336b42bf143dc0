"""Applies a plan to the files."""

from pathlib import Path

from code_core.frozen import frozen
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.errors import PatchApplyError
from code_core.patch.filesystem import FileState, FileSystem
from code_core.patch.plan import PatchPlan

MOST_SHOWN = 50


@frozen
class _Write:
    path: Path
    new: FileState
    expected: FileState | None

    def __str__(self) -> str:
        return f"write file {self.path}"


@frozen
class _Delete:
    path: Path
    expected: FileState
    moved: _Write | None = None

    def __str__(self) -> str:
        return f"delete file {self.path}"


_Step = _Write | _Delete


async def apply_plan(plan: PatchPlan, files: FileSystem) -> None:
    """Write the edits in order; see `Application.run`.

    Raises:
        PatchApplyError: see `Application.run`.
    """
    await Application(plan, files).run()


class Application:
    """The application of a plan, which records its progress.

    A file is written only if it is still in the state that the plan was made from.
    """

    def __init__(self, plan: PatchPlan, files: FileSystem) -> None:
        self._edits = plan.edits
        self._files = files
        self._steps = [_steps(edit) for edit in plan.edits]
        self._edit = 0  # the current edit
        self._taken = 0  # completed steps of the current edit

    async def run(self) -> None:
        """Write the edits in order, each file as a whole; a move writes the new file before deleting the old one.

        Raises:
            PatchApplyError: a file has changed since it was read, or could not be written or deleted;
                names what was done and what was not.
        """
        for steps in self._steps:
            for step in steps:
                try:
                    await self._take(step)
                except OSError as error:
                    raise self.stopped(error.strerror or str(error)) from error
                self._taken += 1
            self._edit, self._taken = self._edit + 1, 0

    @property
    def applied(self) -> tuple[FileEdit, ...]:
        """The edits on disk; a move whose old file still exists counts as adding the new file."""
        applied = self._edits[: self._edit]
        if self._edit < len(self._edits):
            edit = self._edits[self._edit]
            if self._taken and isinstance(edit, Updated) and edit.move_to is not None:
                return (*applied, Added(edit.move_to, edit.new, edit.overwritten))
        return applied

    def stopped(self, problem: str) -> PatchApplyError:
        """Return the error for a patch that stopped here: what was written, and what was not."""
        done = [*_flat(self._steps[: self._edit]), *self._steps[self._edit][: self._taken]]
        failed, *rest = self._steps[self._edit][self._taken :]
        rest += _flat(self._steps[self._edit + 1 :])
        lines = [f"Failed to {failed}: {problem}"]
        lines += (
            ["These changes of the patch were made and stay:", *_shown(done)]
            if done
            else ["No file was changed."]
        )
        if rest:
            lines += ["These were not made:", *_shown(rest)]
        return PatchApplyError("\n".join(lines), self.applied)

    async def _take(self, step: _Step) -> None:
        if isinstance(step, _Write):
            await self._files.replace(step.path, step.new, step.expected)
            return
        moved = step.moved
        if moved is None:
            await self._files.delete(step.path, step.expected)
            return
        # Both may name one file on a case-insensitive disk: then it is written again.
        now = await self._files.read(step.path)
        same = now is not None and moved.new.is_same(now)
        await self._files.delete(step.path, moved.new if same else step.expected)
        if await self._files.read(moved.path) is None:
            await self._files.replace(moved.path, moved.new, None)


def _steps(edit: FileEdit) -> list[_Step]:
    match edit:
        case Added(path=path, new=new, overwritten=overwritten):
            return [_Write(path, new, overwritten)]
        case Deleted(path=path, old=old):
            return [_Delete(path, old)]
        case Updated(path=path, old=old, move_to=Path() as target):
            write = _Write(target, edit.new, edit.overwritten)
            return [write, _Delete(path, edit.link or old, write)]
        case _:
            return [_Write(edit.path, edit.new, edit.old)]


def _shown(steps: list[_Step]) -> list[str]:
    lines = [f"  {step}" for step in steps[:MOST_SHOWN]]
    return lines if len(steps) <= MOST_SHOWN else [*lines, f"  and {len(steps) - MOST_SHOWN:,} more"]


def _flat(steps: list[list[_Step]]) -> list[_Step]:
    return [step for some in steps for step in some]
