"""Questions to the user as MCP elicitations."""

import logging
from collections.abc import Mapping
from typing import Any

from mcp.server.connection import Connection
from mcp.shared.exceptions import MCPError
from mcp_types import ClientCapabilities, ElicitationCapability
from pydantic import ValidationError

from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.protocol.policies import ReviewDecision
from code_core.view.printer import change_text
from code_core.view.titles import command_text

_log = logging.getLogger("code_core")

_NAMES = {
    ReviewDecision.APPROVED: "Allow once",
    ReviewDecision.APPROVED_FOR_SESSION: "Allow for this session",
    ReviewDecision.APPROVED_PREFIX: "Allow always, by this rule",
    ReviewDecision.DENIED: "Deny, go on",
    ReviewDecision.ABORT: "Deny and stop",
}


async def decide(
    connection: Connection, request: ApprovalRequest, event_id: str, call_id: str
) -> ReviewDecision:
    """The client's decision; `denied` at once from a client that cannot be asked.

    Args:
        connection: the client.
        request: what is asked.
        event_id: the submission that the event belongs to.
        call_id: the id of the tool call of the client.
    """
    if not _can_be_asked(connection):
        return ReviewDecision.DENIED
    params = {
        "message": _message(request),
        "requestedSchema": _schema(request),
        **_details(request, event_id, call_id),
    }
    try:
        answer = await connection.send_raw_request("elicitation/create", params)
    except MCPError as error:
        _log.warning("an approval request was refused by the client: %s", error)
        return ReviewDecision.DENIED
    return decision_in(answer)


async def pass_on(connection: Connection, question: ElicitationRequest) -> ResolveElicitation:
    """The client's answer to what an MCP server of the engine asks; `decline` from a client that cannot be asked."""
    decline = ResolveElicitation(id=question.id, action="decline")
    if not _can_be_asked(connection):
        return decline
    params = {
        "message": f"{question.server} asks: {question.message}",
        "requestedSchema": question.requested_schema,
    }
    try:
        answer = await connection.send_raw_request("elicitation/create", params)
        return ResolveElicitation.model_validate({**answer, "id": question.id})
    except (MCPError, ValidationError) as error:
        _log.warning("a question of the MCP server %s was not answered: %s", question.server, error)
        return decline


def _can_be_asked(connection: Connection) -> bool:
    return connection.check_capability(ClientCapabilities(elicitation=ElicitationCapability()))


def decision_in(answer: Mapping[str, Any]) -> ReviewDecision:
    """The decision that an answer spells: `{decision}`, or the standard `{action, content}`."""
    content = answer.get("content")
    given = answer.get("decision") or (content.get("decision") if isinstance(content, dict) else None)
    match answer.get("action"):
        case "decline":
            return ReviewDecision.DENIED
        case "cancel":
            return ReviewDecision.ABORT
        case "accept" if given is None:
            return ReviewDecision.APPROVED
        case _ if isinstance(given, str) and given in set(ReviewDecision):
            return ReviewDecision(given)
        case _:
            return ReviewDecision.DENIED


def _schema(request: ApprovalRequest) -> dict[str, Any]:
    proposed = isinstance(request, ExecApprovalRequest) and request.proposed_rule is not None
    names = {
        decision.value: name
        for decision, name in _NAMES.items()
        if proposed or decision is not ReviewDecision.APPROVED_PREFIX
    }
    choice = {"type": "string", "title": "Decision", "enum": list(names), "enumNames": list(names.values())}
    return {"type": "object", "properties": {"decision": choice}, "required": ["decision"]}


def _message(request: ApprovalRequest) -> str:
    match request:
        case ExecApprovalRequest(command=command, cwd=cwd, reason=reason, proposed_rule=rule):
            always = f"\n\nThe rule would be:\n\n{rule}" if rule else ""
            return f"Run this command in {cwd}?\n\n{command_text(command)}\n\n{reason or ''}{always}".strip()
        case ApplyPatchApprovalRequest(changes=changes, reason=reason):
            lines = "\n".join(change_text(path, change) for path, change in changes.items())
            return f"Make these changes?\n\n{lines}\n\n{reason or ''}".strip()


def _details(request: ApprovalRequest, event_id: str, call_id: str) -> dict[str, Any]:
    """The extra fields by which clients of Codex tell requests apart."""
    details: dict[str, Any] = {
        "code_mcp_tool_call_id": call_id,
        "code_event_id": event_id,
        "code_call_id": request.call_id,
        "code_reason": request.reason,
    }
    match request:
        case ExecApprovalRequest(command=command, cwd=cwd):
            return details | {
                "code_elicitation": "exec-approval",
                "code_command": command,
                "code_cwd": str(cwd),
                "code_proposed_rule": request.proposed_rule,
            }
        case ApplyPatchApprovalRequest(changes=changes):
            dumped = {path: change.model_dump(mode="json") for path, change in changes.items()}
            return details | {"code_elicitation": "patch-approval", "code_changes": dumped}
