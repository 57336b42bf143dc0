"""Approval requests as `session/request_permission` messages.

Source: Agent Client Protocol, version 1, "Requesting permission".
"""

from typing import Any

from code_core.acp.tool_calls import (
    ToolCallFields,
    command_call,
    fenced,
    patch_call,
    server_tool_call,
    text_content,
)
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.policies import ReviewDecision
from code_core.view.answers import Choices
from code_core.view.questions import approval_text
from code_core.view.visible import visible

# `denied` precedes `abort`, because clients that reject everything choose the first rejection.
_OPTIONS = (
    ("approved", "Allow once", "allow_once", ReviewDecision.APPROVED),
    ("approved-for-session", "Allow {}", "allow_always", ReviewDecision.APPROVED_FOR_SESSION),
    ("approved-prefix", "Allow always", "allow_always", ReviewDecision.APPROVED_PREFIX),
    ("denied", "Deny and continue", "reject_once", ReviewDecision.DENIED),
    ("abort", "Deny and stop", "reject_once", ReviewDecision.ABORT),
)


def permission_request(session_id: str, request: ApprovalRequest) -> dict[str, Any]:
    """Return the parameters of the question."""
    rule = request.proposed_rule if isinstance(request, ExecApprovalRequest) else None
    options = [
        {
            "optionId": option,
            "name": name.format(Choices.about(request).session)
            if option != "approved-prefix"
            else f"{name}: {_rule_name(request)}",
            "kind": kind,
        }
        for option, name, kind, _ in _OPTIONS
        if rule is not None or option != "approved-prefix"
    ]
    meta = {"approvalId": request.approval_id} | ({"reason": request.reason} if request.reason else {})
    return {
        "sessionId": session_id,
        "toolCall": question_call(request),
        "options": options,
        "_meta": {"code/approval": meta},
    }


def _rule_name(request: ApprovalRequest) -> str:
    """A summary of the proposed rule; the rule itself is part of the question."""
    match request:
        case ExecApprovalRequest(rule_allows=str(allows)) if allows:
            return visible(allows)
        case ExecApprovalRequest(proposed_rule=str(rule)):
            return visible(rule)
        case _:
            return ""


def question_call(request: ApprovalRequest) -> ToolCallFields:
    """Return the pending call in question, with the complete question as its content."""
    match request:
        case ApplyPatchApprovalRequest():
            call = patch_call(request.call_id, request.changes)
        case ExecApprovalRequest(mcp=None):
            call = command_call(request.call_id, request.command, request.cwd)
        case ExecApprovalRequest(mcp=tool):
            assert tool is not None  # noqa: S101 - handled by the previous case
            call = server_tool_call(request.call_id, tool)
    content = [text_content(fenced(str(approval_text(request)))), *call.get("content", [])]
    return {**call, "content": content, "status": "pending"}


def permission_decision(answer: object) -> ReviewDecision | None:
    """Return the decision in an answer (a cancelled one is `abort`), or None if it contains none."""
    match answer:
        case {"outcome": {"outcome": "cancelled"}}:
            return ReviewDecision.ABORT
        case {"outcome": {"outcome": "selected", "optionId": chosen}}:
            return next((decision for option, _, _, decision in _OPTIONS if option == chosen), None)
        case _:
            return None
