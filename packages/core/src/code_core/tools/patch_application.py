"""Writes an approved patch completely, even if the turn is interrupted."""

import logging
from collections.abc import Mapping

import anyio

from code_core.patch.apply import Application
from code_core.patch.errors import PatchApplyError
from code_core.patch.filesystem import FileSystem
from code_core.patch.plan import PatchPlan
from code_core.protocol.events import PatchApplyBegin, PatchApplyEnd, TurnDiff, WarningEvent
from code_core.protocol.file_changes import FileChange
from code_core.tools.tool import ToolContext, ToolOutput

LONGEST_SECONDS = 60.0
"""Time limit for writing, which cannot be interrupted."""

_log = logging.getLogger("code_core")


async def write_patch(
    plan: PatchPlan,
    files: FileSystem,
    context: ToolContext,
    *,
    call_id: str,
    changes: Mapping[str, FileChange],
    auto_approved: bool,
    summary: str,
) -> ToolOutput:
    """Carry out `plan` and report it; every begin event gets an end event that says what is on disk.

    An interrupt waits until everything is written and reported, at most 60 seconds for the writing.
    """
    with anyio.CancelScope(shield=True):
        await context.emit(
            PatchApplyBegin(call_id=call_id, auto_approved=auto_approved, changes=dict(changes))
        )
        application = Application(plan, files)
        error: PatchApplyError | None = None
        try:
            with anyio.move_on_after(LONGEST_SECONDS) as limit:
                await application.run()
            if limit.cancelled_caught:
                late = f"not done within {LONGEST_SECONDS:g} s; check the file before you continue"
                error = application.stopped(late)
        except PatchApplyError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - a broken file system; report what was written
            _log.exception("a patch could not be written")
            error = application.stopped(f"{type(failure).__name__}: {failure}")
        output = ToolOutput(summary) if error is None else ToolOutput(str(error), success=False)
        await context.emit(
            PatchApplyEnd(
                call_id=call_id,
                stdout=summary if error is None else "",
                stderr="" if error is None else output.text,
                success=error is None,
            )
        )
        if application.applied:
            await _emit_turn_diff(application, context)
    return output


async def _emit_turn_diff(application: Application, context: ToolContext) -> None:
    def diff() -> str:
        changes = context.changes()
        changes.add(application.applied)
        return changes.diff()

    try:
        await context.emit(TurnDiff(unified_diff=await anyio.to_thread.run_sync(diff)))
    except OSError as error:
        problem = f"the diff of this turn is not complete: {error.strerror or error}"
        await context.emit(WarningEvent(message=problem))
