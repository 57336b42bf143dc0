"""Approvals in flight: a question goes out as an event, its answer comes in as an op."""

import os
from collections.abc import Sequence
from pathlib import Path

from code_core.config.guards import append_rule
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import WarningEvent
from code_core.protocol.ops import ExecApproval, PatchApproval
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, Grant
from code_core.safety.proposals import Proposal
from code_core.safety.rules import RegisteredCommand
from code_core.safety.rules_file import RuleError
from code_core.session.permission_tool import PermissionTool
from code_core.session.proposed_rule import ProposedRule
from code_core.session.questions import Questions
from code_core.tools.approver import CommandQuestion, PatchQuestion, Question, Review, ToolQuestion
from code_core.tools.tool import Emit

Answer = ExecApproval | PatchApproval


class Approvals:
    """Asks the questions of a conversation, and remembers what was allowed for the session.

    Args:
        tool: asked first, if there is one; the frontend is asked when it does not decide.
        rules_file: where the rules go that the user adds; without it none is proposed.
    """

    def __init__(self, tool: PermissionTool | None = None, rules_file: Path | None = None) -> None:
        self._tool = tool
        self.rules_file = rules_file
        self._questions: Questions[Answer] = Questions()
        self._used_ids: set[str] = set()
        self._grants: set[Grant] = set()
        self._registered: list[RegisteredCommand] = []

    def for_turn(self, emit: Emit) -> "TurnApprover":
        """The approver for one turn, which asks through `emit`."""
        return TurnApprover(self, emit)

    def answer(self, op: Answer) -> bool:
        """Answer the question with the approval id `op.id`; False if it is not open."""
        return self._questions.answer(op.id, op)

    async def ask(self, request: ApprovalRequest, emit: Emit) -> Answer | ReviewDecision:
        """The tool's decision, or the frontend's answer to `request`, however long it takes."""
        if self._tool is not None and (decision := await self._tool.ask(request)) is not None:
            return decision
        return await self._questions.ask(request.approval_id, request, emit) or ReviewDecision.ABORT

    def new_id(self, call_id: str) -> str:
        """An approval id that no question of this conversation has had.

        It is the call id for the first question about a call, because clients of 2025 answer with that. A
        later question about it, or about another call with the same id, gets one that nobody can have sent before.
        """
        fresh = call_id if call_id and call_id not in self._used_ids else f"approval-{os.urandom(16).hex()}"
        self._used_ids.add(fresh)
        return fresh

    def approved(self, *grants: Grant) -> bool:
        """See `Approver.approved`."""
        return bool(grants) and self._grants.issuperset(grants)

    def grant(self, *grants: Grant) -> None:
        """Allow these for the session."""
        self._grants.update(grants)

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        """What `register` was given."""
        return self._registered

    def register(self, command: RegisteredCommand) -> None:
        """Allow the commands that `command` stands for from now on."""
        self._registered.append(command)


class TurnApprover:
    """See `Approver`."""

    def __init__(self, approvals: Approvals, emit: Emit) -> None:
        self._approvals = approvals
        self._emit = emit
        self.approved = approvals.approved
        self.registered_commands = approvals.registered_commands

    async def ask(self, question: Question) -> Review:
        """See `Approver.ask`."""
        rule = self._proposed_rule(question)
        request = _request(question, self._approvals.new_id(question.call_id), rule)
        answer = await self._approvals.ask(request, self._emit)
        match answer:
            case ReviewDecision() as decision:
                feedback = edited = None
            case ExecApproval(decision=decision, feedback=feedback, rule=edited):
                pass
            case PatchApproval(decision=decision, feedback=feedback):
                edited = None
        match decision:
            case ReviewDecision.APPROVED_FOR_SESSION:
                self._approvals.grant(*_grants(question))
            case ReviewDecision.APPROVED_PREFIX if rule is not None:
                await self._always_allow(rule, edited)
            case _:
                pass
        return Review(decision, feedback)

    def _proposed_rule(self, question: Question) -> ProposedRule | None:
        match question:
            case CommandQuestion(proposal=Proposal() as proposal, grant=CommandGrant() as grant) if (
                self._approvals.rules_file is not None
            ):
                return ProposedRule.for_command(proposal, grant)
            case _:
                return None

    async def _always_allow(self, rule: ProposedRule, edited: str | None) -> None:
        """Add the rule, or what the user made of it; a rule that cannot be added is a warning."""
        if edited is not None:
            try:
                rule = rule.narrowed(edited)
            except RuleError as error:
                await self._emit(WarningEvent(message=f"the command may run, but no rule was added: {error}"))
                return
        self._approvals.register(rule.registered)
        file = self._approvals.rules_file
        assert file is not None  # noqa: S101 - no rule is proposed without it
        try:
            append_rule(file, rule.text)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            problem = f"the rule holds for this session, but could not be added to {file}: {reason}"
            await self._emit(WarningEvent(message=problem))


def _request(question: Question, approval_id: str, rule: ProposedRule | None) -> ApprovalRequest:
    match question:
        case CommandQuestion():
            return ExecApprovalRequest(
                call_id=question.call_id,
                approval_id=approval_id,
                command=list(question.argv),
                cwd=question.cwd,
                reason=question.reason,
                justification=question.justification,
                sandboxed=question.sandboxed,
                escalated=question.escalated,
                proposed_rule=None if rule is None else rule.text,
                rule_allows=None if rule is None else rule.allows,
            )
        case ToolQuestion(invocation=call):
            return ExecApprovalRequest(
                call_id=question.call_id,
                approval_id=approval_id,
                command=["MCP tool call", call.server, call.tool, question.grant.arguments],
                cwd=question.cwd,
                reason=question.reason,
                mcp=call,
            )
        case PatchQuestion():
            return ApplyPatchApprovalRequest(
                call_id=question.call_id,
                approval_id=approval_id,
                changes=dict(question.changes),
                reason=question.reason,
            )


def _grants(question: Question) -> frozenset[Grant]:
    match question:
        case CommandQuestion(grant=command):
            return frozenset() if command is None else frozenset({command})
        case ToolQuestion(grant=call):
            return frozenset({call})
        case PatchQuestion(grants=grants):
            return frozenset(grants)
