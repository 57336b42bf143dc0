"""Questions to the user, as `session/request_permission` has them.

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
from code_core.view.questions import approval_text, change_text
from code_core.view.visible import visible

_OPTIONS = (
    ("approve_for_session", "Allow {}", "allow_always", ReviewDecision.APPROVED_FOR_SESSION),
    ("approve", "Allow once", "allow_once", ReviewDecision.APPROVED),
    ("approve_prefix", "Allow always", "allow_always", ReviewDecision.APPROVED_PREFIX),
    ("deny", "Deny", "reject_once", ReviewDecision.DENIED),
)


def permission_request(session_id: str, request: ApprovalRequest) -> dict[str, Any]:
    """The parameters of the question."""
    match request:
        case ExecApprovalRequest():
            call = _question_call(request)
        case ApplyPatchApprovalRequest():
            call = patch_call(request.call_id, request.changes)
            files = "\n".join(change_text(path, change) for path, change in request.changes.items())
            call["content"] = [
                text_content(fenced(files)),
                *call["content"],
            ]  # moves have no difference to show
    rule = request.proposed_rule if isinstance(request, ExecApprovalRequest) else None
    options = [
        {
            "optionId": option,
            "name": name.format(Choices.about(request).session)
            if option != "approve_prefix"
            else f"{name}: {visible(rule or '')}",
            "kind": kind,
        }
        for option, name, kind, _ in _OPTIONS
        if rule is not None or option != "approve_prefix"
    ]
    meta = {"approvalId": request.approval_id} | ({"reason": request.reason} if request.reason else {})
    return {
        "sessionId": session_id,
        "toolCall": {**call, "status": "pending"},
        "options": options,
        "_meta": meta,
    }


def _question_call(request: ExecApprovalRequest) -> ToolCallFields:
    """The command or tool that is asked about, with the whole question as its content."""
    content = [text_content(fenced(str(approval_text(request))))]
    if request.mcp is None:
        return {**command_call(request.call_id, request.command, request.cwd), "content": content}
    return {**server_tool_call(request.call_id, request.mcp), "content": content}


def permission_decision(answer: object) -> ReviewDecision | None:
    """The decision that an answer spells; a cancelled one is `abort`. None where it spells none."""
    match answer:
        case {"outcome": {"outcome": "cancelled"}}:
            return ReviewDecision.ABORT
        case {"outcome": {"outcome": "selected", "optionId": chosen}}:
            return next((decision for option, _, _, decision in _OPTIONS if option == chosen), None)
        case _:
            return None
