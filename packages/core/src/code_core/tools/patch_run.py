"""Carries out a patch: plans it, has it checked and approved, and writes it."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio

from code_core.frozen import frozen
from code_core.patch import (
    FileSystem,
    Patch,
    PatchError,
    PatchPlan,
    parse_patch,
    plan_edits,
    read_again,
    read_sources,
    summary,
)
from code_core.protocol.events import BackgroundEvent
from code_core.protocol.file_changes import FileChange
from code_core.safety.decide import Allow, Ask, Reject, decide_patch
from code_core.safety.grants import PathGrant
from code_core.sandbox.confinement import writable_and_protected
from code_core.sandbox.detection import detect
from code_core.sandbox.protected import Protected
from code_core.tools.approver import PatchQuestion
from code_core.tools.patch_application import write_patch
from code_core.tools.shown_changes import (
    MAX_CHANGE_CHARS,
    MAX_CHANGES_CHARS,
    ShownChanges,
    is_same_change,
    shown_changes,
)
from code_core.tools.tool import ToolContext, ToolOutput, refusal
from code_core.validation.harness import validate

_log = logging.getLogger("code_core")

LARGE = 2**18
"""Bytes above which work is done in a thread."""
MOST_PLANS = 3
"""How often a patch is planned again because its files keep changing."""
NOT_SHOWN = (
    "patch rejected: the user must approve it, but it cannot be shown completely: {}. A question shows text, "
    f"at most {MAX_CHANGE_CHARS:,} characters of a file and {MAX_CHANGES_CHARS:,} in all. Send smaller patches."
)
CHANGED_MEANWHILE = "another program changed a file before the patch could be written"

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class PatchRun:
    """Parses, checks, asks and applies; a patch that does not fit changes nothing.

    Args:
        file_system: where the files are.
    """

    def __init__(self, file_system: FileSystem) -> None:
        self._file_system = file_system

    async def apply(self, text: str, cwd: Path, call_id: str, context: ToolContext) -> ToolOutput:
        """Apply the patch `text`, resolving relative paths against `cwd`.

        If a file changes while checkers run or the user is asked, the patch is planned again. It is
        applied if the change is still the same; otherwise the user is asked again.

        Raises:
            TurnAbandoned: the user chose to stop the turn.
        """
        try:
            patch = await _run_when_large(len(text), parse_patch, text)
            agreed = await self._agreed(patch, cwd, call_id, context)
        except PatchError as error:
            return ToolOutput(str(error), success=False)
        if isinstance(agreed, ToolOutput):
            return agreed
        output = await write_patch(
            agreed.plan,
            self._file_system,
            context,
            call_id=call_id,
            changes=agreed.changes,
            auto_approved=agreed.auto_approved,
            summary=summary(patch),
        )
        return replace(output, text=output.text + agreed.findings) if output.success else output

    async def _agreed(
        self, patch: Patch, cwd: Path, call_id: str, context: ToolContext
    ) -> "_Agreed | ToolOutput":
        """Return a plan that may be written now, made from the current files, or the answer to the model.

        Raises:
            PatchError: the patch does not fit the files.
            TurnAbandoned: the user chose to stop the turn.
        """
        agreed: _Agreed | None = None
        for _ in range(MOST_PLANS):
            sources = await read_sources(patch, self._file_system, cwd)
            try:
                plan = await _run_when_large(sources.size, plan_edits, patch, sources)
            except PatchError as error:
                if agreed is None:
                    raise
                return _outdated(f"{CHANGED_MEANWHILE}, and the patch no longer applies.\n{error}")
            if agreed is not None and plan.paths != agreed.plan.paths:
                moved = next(
                    new for new, old in zip(plan.paths, agreed.plan.paths, strict=True) if new != old
                )
                return _outdated(
                    f"a link to {moved} has changed, or a directory above it has become a symbolic link"
                )
            same = agreed is not None and await _run_when_large(
                sources.size, is_same_change, agreed.plan.edits, plan.edits
            )
            if agreed is not None and same:
                agreed = replace(agreed, plan=plan)
            else:
                shown = await _run_when_large(sources.size, shown_changes, plan.edits)
                findings = await _findings(plan, context)
                auto_approved = await _permission(call_id, shown, plan, context)
                if isinstance(auto_approved, ToolOutput):
                    return auto_approved
                agreed = _Agreed(plan, shown.changes, findings, auto_approved)
            await context.before_write(plan.paths)
            now = await read_again(sources, self._file_system)
            if await _run_when_large(sources.size, sources.is_same, now):
                return agreed
        return _outdated(f"{CHANGED_MEANWHILE}, {MOST_PLANS} times.")


@frozen
class _Agreed:
    """An approved plan, and how it is shown."""

    plan: PatchPlan
    changes: Mapping[str, FileChange]
    findings: str
    auto_approved: bool


def _outdated(problem: str) -> ToolOutput:
    return ToolOutput(f"The patch was not applied, and no file was changed: {problem}", success=False)


async def _run_when_large(
    size: int, function: Callable[[*_Arguments], _Result], *arguments: *_Arguments
) -> _Result:
    """Call `function`, in a thread if the work is large enough to block the event loop."""
    if size <= LARGE:
        return function(*arguments)
    return await anyio.to_thread.run_sync(function, *arguments)


async def _findings(plan: PatchPlan, context: ToolContext) -> str:
    """The findings of the checks, for the model; the user sees them immediately."""
    cwd = Path(os.path.realpath(context.cwd))
    directory = context.home / "validation"
    report = await validate(plan.edits, cwd, context.environment, context.validation, directory)
    if report is None or not (report.issues or report.failed):
        return ""
    await context.emit(BackgroundEvent(message=str(report)))
    return f"\n{report.as_json()}" if report.issues else ""


async def _permission(
    call_id: str, shown: ShownChanges, plan: PatchPlan, context: ToolContext
) -> ToolOutput | bool:
    """True if the patch was allowed without asking, False after asking, or the answer to the model if it is rejected."""
    grants = frozenset(map(PathGrant, plan.paths))
    closed, roots, confinable = await anyio.to_thread.run_sync(_bounds, context)
    decision = decide_patch(
        context.approval_policy,
        context.sandbox_policy,
        confinable=confinable,
        paths=plan.paths,
        roots=roots,
        protected=closed.reasons(),
        approved=context.approver.approved(*grants),
    )
    _log.info("patch %.64s: %s", call_id, decision)
    match decision:
        case Allow():
            return True
        case Reject(reason=reason):
            return ToolOutput(f"patch rejected: {reason}", success=False)
        case Ask() if shown.hidden:
            return ToolOutput(NOT_SHOWN.format(", ".join(shown.hidden)), success=False)
        case Ask(reason=reason):
            question = PatchQuestion(call_id, shown.changes, reason, grants)
            return refusal("patch", await context.approver.ask(question)) or False


def _bounds(context: ToolContext) -> tuple[Protected, list[Path], bool]:
    """The protected and the writable paths, and whether commands can be confined here."""
    closed, roots = writable_and_protected(
        context.sandbox_policy, context.cwd, context.home, context.environment
    )
    return closed, roots, detect().sandbox is not None
