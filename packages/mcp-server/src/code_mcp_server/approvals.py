"""Converts questions to MCP elicitations, and their answers to decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ExecApproval, PatchApproval, ResolveElicitation
from code_core.protocol.policies import ReviewDecision
from code_core.protocol.question_events import RequestUserInput
from code_core.view.answers import Choices
from code_core.view.question_form import form_answer, form_schema, form_text, no_answer
from code_core.view.questions import approval_text, elicitation_schema, elicitation_text
from code_mcp_server.eras import ClientAbilities
from code_mcp_server.turns import Question, Reply

_NAMES = {
    ReviewDecision.APPROVED: "Allow once",
    ReviewDecision.APPROVED_FOR_SESSION: "Allow {}",
    ReviewDecision.APPROVED_PREFIX: "Allow always, by this rule",
    ReviewDecision.DENIED: "Deny and continue",
    ReviewDecision.ABORT: "Deny and stop",
}

CANNOT_ASK = (
    "the MCP client cannot ask its user: it does not declare elicitation. "
    "Choose another approval policy or sandbox, or use a client that does"
)


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """A decision with its details; see the op `exec_approval`."""

    decision: ReviewDecision
    feedback: str | None = None
    rule: str | None = None


def can_ask(question: Question, abilities: ClientAbilities) -> bool:
    """Whether a client can ask its user a question."""
    if isinstance(question, ElicitationRequest) and question.url is not None:
        return abilities.opens_urls
    return abilities.elicits


def elicitation(question: Question) -> dict[str, Any]:
    """Return parameters for `elicitation/create` that every client supports."""
    if isinstance(question, ElicitationRequest) and question.url is not None:
        message = elicitation_text(question).markdown
        return {"mode": "url", "message": message, "url": question.url, "elicitationId": question.id}
    if isinstance(question, ElicitationRequest):
        message, schema = elicitation_text(question).markdown, elicitation_schema(question)
    elif isinstance(question, RequestUserInput):
        message, schema = form_text(question).markdown, form_schema(question)
    else:
        message, schema = approval_text(question).markdown, _schema(question)
    return {"mode": "form", "message": message, "requestedSchema": schema}


def reply(question: Question, answer: object) -> Reply:
    """Convert a client's answer to an op; anything but a clear yes is a no.

    Args:
        question: the question.
        answer: the client's unvalidated result of `elicitation/create`, or None.
    """
    if isinstance(question, ElicitationRequest):
        given = answer if isinstance(answer, Mapping) else {}
        try:
            return ResolveElicitation.model_validate({"content": None, **given, "id": question.id})
        except (ValidationError, TypeError):
            return ResolveElicitation(id=question.id, action="decline")
    if isinstance(question, RequestUserInput):
        match answer:
            case {"action": "accept", "content": dict(content)}:
                return form_answer(question, content)
            case _:
                return no_answer(question)
    return _approval(question, answer_in(answer))


def denial(question: Question) -> Reply:
    """Return the answer for a question that cannot be asked; the model learns why."""
    if isinstance(question, ElicitationRequest):
        return ResolveElicitation(id=question.id, action="decline")
    if isinstance(question, RequestUserInput):
        return no_answer(question)
    return _approval(question, ClientAnswer(ReviewDecision.DENIED, CANNOT_ASK))


def answer_in(answer: object) -> ClientAnswer:
    """Parse a client's answer, as `{decision}` or in the standard form `{action, content}`.

    Anything that does not name a decision is a no, including a bare `accept`, because nothing was chosen.
    """
    fields = answer if isinstance(answer, dict) else {}
    content = fields.get("content")
    given = {**(content if isinstance(content, dict) else {}), **fields}
    feedback, rule = (
        given[name] if isinstance(given.get(name), str) else None for name in ("feedback", "rule")
    )
    match fields.get("action"), given.get("decision"):
        case "decline", _:
            return ClientAnswer(ReviewDecision.DENIED, feedback)
        case "cancel", _:
            return ClientAnswer(ReviewDecision.ABORT)
        case "accept" | None, str(decision) if decision in set(ReviewDecision):
            return ClientAnswer(ReviewDecision(decision), feedback, rule)
        case _:
            return ClientAnswer(ReviewDecision.DENIED, feedback)


def details(question: Question, event_id: str, call_id: str) -> dict[str, Any]:
    """Return the extra fields by which Codex clients distinguish approvals; empty for other questions.

    Args:
        question: the question.
        event_id: the submission of the event.
        call_id: the id of the client's tool call.
    """
    if isinstance(question, ElicitationRequest | RequestUserInput):
        return {}
    common: dict[str, Any] = {
        "code_approval_id": question.approval_id,
        "code_mcp_tool_call_id": call_id,
        "code_event_id": event_id,
        "code_call_id": question.call_id,
        "code_reason": question.reason,
    }
    match question:
        case ExecApprovalRequest(command=command, cwd=cwd, mcp=tool):
            return common | {
                "code_elicitation": "exec-approval",
                "code_escalated": question.escalated,
                "code_sandboxed": question.sandboxed,
                "code_justification": question.justification,
                "code_mcp_call": None if tool is None else tool.model_dump(mode="json"),
                "code_command": command,
                "code_cwd": str(cwd),
                "code_proposed_rule": question.proposed_rule,
                "code_rule_allows": question.rule_allows,
            }
        case ApplyPatchApprovalRequest(changes=changes):
            dumped = {path: change.model_dump(mode="json") for path, change in changes.items()}
            return common | {"code_elicitation": "patch-approval", "code_changes": dumped}


def _approval(request: ApprovalRequest, answer: ClientAnswer) -> ExecApproval | PatchApproval:
    fields = {"id": request.approval_id, "decision": answer.decision, "feedback": answer.feedback}
    if isinstance(request, ExecApprovalRequest):
        return ExecApproval(**fields, rule=answer.rule)
    return PatchApproval(**fields)


def _schema(request: ApprovalRequest) -> dict[str, Any]:
    proposed = isinstance(request, ExecApprovalRequest) and request.proposed_rule is not None
    names = {
        decision.value: name.format(Choices.about(request).session)
        for decision, name in _NAMES.items()
        if proposed or decision is not ReviewDecision.APPROVED_PREFIX
    }
    choice = {"type": "string", "title": "Decision", "enum": list(names), "enumNames": list(names.values())}
    return {"type": "object", "properties": {"decision": choice}, "required": ["decision"]}
