"""Questions to the user as MCP elicitations."""

import logging
from dataclasses import dataclass
from typing import Any

from mcp.server.connection import Connection
from mcp.shared.exceptions import MCPError
from mcp_types import ClientCapabilities, ElicitationCapability
from pydantic import ValidationError

from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.protocol.policies import ReviewDecision
from code_core.view.answers import Choices
from code_core.view.questions import approval_text, elicitation_schema, elicitation_text

_log = logging.getLogger("code_core")

_NAMES = {
    ReviewDecision.APPROVED: "Allow once",
    ReviewDecision.APPROVED_FOR_SESSION: "Allow {}",
    ReviewDecision.APPROVED_PREFIX: "Allow always, by this rule",
    ReviewDecision.DENIED: "Deny, go on",
    ReviewDecision.ABORT: "Deny and stop",
}


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """A decision, and what came with it; see the op `exec_approval`."""

    decision: ReviewDecision
    feedback: str | None = None
    rule: str | None = None


async def decide(
    connection: Connection, request: ApprovalRequest, event_id: str, call_id: str
) -> ClientAnswer:
    """The client's answer; a no at once from a client that cannot be asked.

    Args:
        connection: the client.
        request: what is asked.
        event_id: the submission that the event belongs to.
        call_id: the id of the tool call of the client.
    """
    if not _can_be_asked(connection):
        return ClientAnswer(ReviewDecision.DENIED)
    params = {
        "message": approval_text(request).markdown,
        "requestedSchema": _schema(request),
        **_details(request, event_id, call_id),
    }
    try:
        answer = await connection.send_raw_request("elicitation/create", params)
    except MCPError as error:
        _log.warning("an approval request was refused by the client: %s", error)
        return ClientAnswer(ReviewDecision.DENIED)
    return answer_in(answer)


async def pass_on(connection: Connection, question: ElicitationRequest) -> ResolveElicitation:
    """The client's answer to what an MCP server of the engine asks; `decline` from a client that cannot be asked."""
    decline = ResolveElicitation(id=question.id, action="decline")
    if not _can_be_asked(connection):
        return decline
    params = {
        "message": elicitation_text(question).markdown,
        "requestedSchema": elicitation_schema(question),
    }
    try:
        answer = await connection.send_raw_request("elicitation/create", params)
        return ResolveElicitation.model_validate({"content": None, **answer, "id": question.id})
    except (MCPError, ValidationError, TypeError) as error:
        _log.warning("a question of the MCP server %s was not answered: %s", question.server, error)
        return decline


def _can_be_asked(connection: Connection) -> bool:
    return connection.check_capability(ClientCapabilities(elicitation=ElicitationCapability()))


def answer_in(answer: object) -> ClientAnswer:
    """What a client has answered, as `{decision}` or in the standard form `{action, content}`.

    Whatever does not name a decision is a no, `accept` alone too: nobody has chosen anything.
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


def _schema(request: ApprovalRequest) -> dict[str, Any]:
    proposed = isinstance(request, ExecApprovalRequest) and request.proposed_rule is not None
    names = {
        decision.value: name.format(Choices.about(request).session)
        for decision, name in _NAMES.items()
        if proposed or decision is not ReviewDecision.APPROVED_PREFIX
    }
    choice = {"type": "string", "title": "Decision", "enum": list(names), "enumNames": list(names.values())}
    return {"type": "object", "properties": {"decision": choice}, "required": ["decision"]}


def _details(request: ApprovalRequest, event_id: str, call_id: str) -> dict[str, Any]:
    """The extra fields by which clients of Codex tell requests apart."""
    details: dict[str, Any] = {
        "code_approval_id": request.approval_id,
        "code_mcp_tool_call_id": call_id,
        "code_event_id": event_id,
        "code_call_id": request.call_id,
        "code_reason": request.reason,
    }
    match request:
        case ExecApprovalRequest(command=command, cwd=cwd, mcp=tool):
            return details | {
                "code_elicitation": "exec-approval",
                "code_escalated": request.escalated,
                "code_sandboxed": request.sandboxed,
                "code_justification": request.justification,
                "code_mcp_call": None if tool is None else tool.model_dump(mode="json"),
                "code_command": command,
                "code_cwd": str(cwd),
                "code_proposed_rule": request.proposed_rule,
                "code_rule_allows": request.rule_allows,
            }
        case ApplyPatchApprovalRequest(changes=changes):
            dumped = {path: change.model_dump(mode="json") for path, change in changes.items()}
            return details | {"code_elicitation": "patch-approval", "code_changes": dumped}
