"""`apply_patch`: edit files in process, after approval where the policy wants it."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from code_core.patch import (
    APPLY_PATCH_GRAMMAR,
    APPLY_PATCH_INSTRUCTIONS,
    Added,
    Deleted,
    FileEdit,
    FileSystem,
    PatchApplyError,
    PatchError,
    PatchPlan,
    Updated,
    apply_plan,
    parse_patch,
    plan_patch,
    summary,
    unified_diff,
)
from code_core.protocol.events import BackgroundEvent, PatchApplyBegin, PatchApplyEnd, TurnDiff
from code_core.protocol.file_changes import (
    AddBody,
    AddChange,
    DeleteBody,
    DeleteChange,
    FileChange,
    UpdateBody,
    UpdateChange,
)
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellCall, ToolCall
from code_core.safety.decide import Allow, Ask, Reject, decide_patch
from code_core.safety.grants import PathGrant
from code_core.sandbox.confinement import writable_roots
from code_core.tools.approver import PatchQuestion
from code_core.tools.tool import ToolContext, ToolOutput, refusal

_log = logging.getLogger("code_core")

PatchForm = Literal["freeform", "function"]


class ApplyPatch:
    """Parses, checks, asks, applies; a patch that does not fit changes nothing.

    Args:
        file_system: where the files are.
        form: how the model calls it: with plain text in a grammar, or as a function.
    """

    name = "apply_patch"
    parallel_safe = False

    def __init__(self, file_system: FileSystem, form: PatchForm) -> None:
        self._file_system = file_system
        self._form = form

    def in_form(self, form: PatchForm) -> "ApplyPatch":
        """The same tool, called in another form."""
        return ApplyPatch(self._file_system, form)

    def spec(self) -> dict[str, Any]:
        """See `Tool.spec`."""
        match self._form:
            case "freeform":
                return {
                    "type": "custom",
                    "name": self.name,
                    "description": "Edit files. The input is a patch, as plain text: do not wrap it in JSON.",
                    "format": {"type": "grammar", "syntax": "lark", "definition": APPLY_PATCH_GRAMMAR},
                }
            case "function":
                return {
                    "type": "function",
                    "name": self.name,
                    "description": f"Edit files with a patch.\n\n{APPLY_PATCH_INSTRUCTIONS}",
                    "strict": False,
                    "parameters": {
                        "type": "object",
                        "properties": {"input": {"type": "string", "description": "The whole patch."}},
                        "required": ["input"],
                        "additionalProperties": False,
                    },
                }

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        match call:
            case CustomToolCall(input=text) | FunctionCall(arguments=text):
                return await self.apply(text, context.cwd, call.call_id, context)
            case LocalShellCall():
                return ToolOutput("apply_patch takes a patch", success=False)

    async def apply(self, text: str, cwd: Path, call_id: str, context: ToolContext) -> ToolOutput:
        """Apply the patch `text`, whose relative paths begin at `cwd`.

        Raises:
            TurnAbandoned: the user does not want the turn to go on.
        """
        if "\0" in str(cwd):
            return ToolOutput(f"the directory {str(cwd)!r} has a NUL character", success=False)
        try:
            patch = parse_patch(text)
            plan = await plan_patch(patch, self._file_system, cwd)
        except PatchError as error:
            return ToolOutput(str(error), success=False)
        changes = file_changes(plan.edits)
        findings = await _findings(plan, context)
        refusal, auto_approved = await _permission(call_id, changes, plan, context)
        if refusal is not None:
            return refusal
        await context.emit(PatchApplyBegin(call_id=call_id, auto_approved=auto_approved, changes=changes))
        try:
            await apply_plan(plan, self._file_system)
        except PatchApplyError as error:
            output, applied = ToolOutput(str(error), success=False), error.applied
            end = PatchApplyEnd(call_id=call_id, stdout="", stderr=output.text, success=False)
        else:
            said = summary(patch)
            output, applied = ToolOutput(said + findings), plan.edits
            end = PatchApplyEnd(call_id=call_id, stdout=said, stderr="", success=True)
        await context.emit(end)
        if applied:
            context.changes.add(applied)
            await context.emit(TurnDiff(unified_diff=context.changes.diff()))
        return output


def file_changes(edits: Sequence[FileEdit]) -> dict[str, FileChange]:
    """The edits as events show them: by path, in patch order."""
    changes: dict[str, FileChange] = {}
    for edit in edits:
        match edit:
            case Added(path=path, new=new):
                changes[str(path)] = AddChange(add=AddBody(content=new))
            case Deleted(path=path, old=old):
                changes[str(path)] = DeleteChange(delete=DeleteBody(content=old))
            case Updated(path=path, old=old, new=new, move_to=move_to):
                body = UpdateBody(unified_diff=unified_diff(old, new), move_path=move_to)
                changes[str(path)] = UpdateChange(update=body)
    return changes


async def _findings(plan: PatchPlan, context: ToolContext) -> str:
    """What the model is told of the checks of the patch; the user is told now."""
    from code_core.validation.harness import validate  # here, because most turns change no files

    cwd = Path(os.path.realpath(context.cwd))
    place = context.home / "validation"
    report = await validate(plan.edits, cwd, context.environment, context.validation, place)
    if report is None or not (report.issues or report.failed):
        return ""
    await context.emit(BackgroundEvent(message=str(report)))
    return f"\n{report.as_json()}" if report.issues else ""


async def _permission(
    call_id: str, changes: Mapping[str, FileChange], plan: PatchPlan, context: ToolContext
) -> tuple[ToolOutput | None, bool]:
    """What the model is told if the patch may not be applied, and whether nobody had to be asked."""
    grants = frozenset(map(PathGrant, plan.paths))
    decision = decide_patch(
        context.approval_policy,
        context.sandbox_policy,
        paths=plan.paths,
        roots=writable_roots(context.sandbox_policy, context.cwd, context.environment),
        protected=[Path(os.path.realpath(context.home))],
        approved=context.approver.approved(*grants),
    )
    _log.info("patch %.64s: %s", call_id, decision)
    match decision:
        case Allow():
            return None, True
        case Reject(reason=reason):
            return ToolOutput(f"patch rejected: {reason}", success=False), False
        case Ask(reason=reason):
            question = PatchQuestion(call_id, changes, reason, grants)
            return refusal("patch", await context.approver.ask(question)), False
