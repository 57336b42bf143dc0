"""Approvals in flight: a question goes out as an event, its answer comes in as an op."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from code_core.config.guards import append_rule
from code_core.context.git import repository_root
from code_core.protocol.events import (
    ApplyPatchApprovalRequest,
    ExecApprovalRequest,
    FileChange,
    WarningEvent,
)
from code_core.protocol.policies import ReviewDecision
from code_core.safety.rules import RegisteredCommand, render_rule
from code_core.safety.shell_words import Words
from code_core.session.permission_tool import PermissionTool
from code_core.session.questions import Questions
from code_core.tools.tool import Emit


class Approvals:
    """The `Approver` of a conversation. Remembers what was allowed for the session.

    Args:
        tool: asked first, if there is one; the frontend is where it does not decide.
        rules_file: where rules go that the user adds; without it none is proposed.
    """

    def __init__(self, tool: PermissionTool | None = None, rules_file: Path | None = None) -> None:
        self._tool = tool
        self.rules_file = rules_file
        self._questions: Questions[ReviewDecision] = Questions()
        self._commands: set[tuple[tuple[str, ...], Path, bool]] = set()
        self._registered: list[RegisteredCommand] = []
        self._paths: set[Path] = set()

    def for_turn(self, emit: Emit) -> "TurnApprover":
        """The approver for one turn, which asks through `emit`."""
        return TurnApprover(self, emit)

    def answer(self, call_id: str, decision: ReviewDecision) -> bool:
        """Answer the question about `call_id`; False if none is open (never asked, or answered before)."""
        return self._questions.answer(call_id, decision)

    async def ask(
        self, call_id: str, request: ExecApprovalRequest | ApplyPatchApprovalRequest, emit: Emit
    ) -> ReviewDecision:
        """Emit `request` and wait for its answer, as long as it takes."""
        if self._tool is not None and (decision := await self._tool.ask(request)) is not None:
            return decision
        return await self._questions.ask(call_id, request, emit) or ReviewDecision.ABORT

    def command_approved(self, command: Sequence[str], cwd: Path, *, escalated: bool = False) -> bool:
        """Whether this command was allowed for the session in this directory, `escalated` or not."""
        return (tuple(command), cwd, escalated) in self._commands

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        """What `register` was given."""
        return self._registered

    def register(self, command: RegisteredCommand) -> None:
        """Allow the commands that `command` stands for from now on."""
        self._registered.append(command)

    def paths_approved(self, paths: Sequence[Path]) -> bool:
        """Whether changing all of `paths` was allowed for the session."""
        return bool(paths) and self._paths.issuperset(paths)

    def remember_command(self, command: Sequence[str], cwd: Path, *, escalated: bool) -> None:
        """Allow this command in this directory from now on."""
        self._commands.add((tuple(command), cwd, escalated))

    def remember_paths(self, paths: Sequence[Path]) -> None:
        """Allow changing `paths` from now on."""
        self._paths.update(paths)


class TurnApprover:
    """See `Approver`."""

    def __init__(self, approvals: Approvals, emit: Emit) -> None:
        self._approvals = approvals
        self._emit = emit
        self.command_approved = approvals.command_approved
        self.paths_approved = approvals.paths_approved
        self.registered_commands = approvals.registered_commands

    async def ask_command(
        self,
        call_id: str,
        command: Sequence[str],
        cwd: Path,
        reason: str,
        *,
        escalated: bool = False,
        prefix: Words | None = None,
    ) -> ReviewDecision:
        """See `Approver.ask_command`."""
        file = self._approvals.rules_file
        place = Path(os.path.realpath(repository_root(cwd) or cwd))
        rule = None if prefix is None or file is None else render_rule(prefix, place, outside=escalated)
        request = ExecApprovalRequest(
            call_id=call_id, command=list(command), cwd=cwd, reason=reason, proposed_rule=rule
        )
        decision = await self._approvals.ask(call_id, request, self._emit)
        if decision is ReviewDecision.APPROVED_FOR_SESSION:
            self._approvals.remember_command(command, cwd, escalated=escalated)
        if decision is ReviewDecision.APPROVED_PREFIX and prefix and rule and file:
            self._approvals.register(RegisteredCommand(prefix, "prefix", outside=escalated, cwd=place))
            await self._add_rule(rule, file)
        return decision

    async def _add_rule(self, rule: str, file: Path) -> None:
        try:
            append_rule(file, rule)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            problem = f"the rule holds for this session, but could not be added to {file}: {reason}"
            await self._emit(WarningEvent(message=problem))

    async def ask_patch(
        self, call_id: str, changes: Mapping[str, FileChange], paths: Sequence[Path], reason: str
    ) -> ReviewDecision:
        """See `Approver.ask_patch`."""
        request = ApplyPatchApprovalRequest(call_id=call_id, changes=dict(changes), reason=reason)
        decision = await self._approvals.ask(call_id, request, self._emit)
        if decision is ReviewDecision.APPROVED_FOR_SESSION:
            self._approvals.remember_paths(paths)
        return decision
