"""Asks the questions of one turn and applies the grants in the answers."""

from code_core.config.guards import append_rule
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import WarningEvent
from code_core.protocol.ops import ExecApproval, PatchApproval
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, Grant
from code_core.safety.proposals import Proposal
from code_core.safety.rules_file import RuleError
from code_core.session.questions.approvals import Approvals
from code_core.session.questions.proposed_rule import ProposedRule
from code_core.tools.approver import CommandQuestion, PatchQuestion, Question, Review, ToolQuestion
from code_core.tools.tool import Emit


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
        """Add the rule, as edited by the user; a failure emits a warning."""
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
