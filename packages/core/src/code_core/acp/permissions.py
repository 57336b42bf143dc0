"""Questions to the user, as `session/request_permission` has them.

Source: Agent Client Protocol, version 1, "Requesting permission".
"""

from typing import Any

from code_core.acp.tool_calls import command_call, patch_call
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.policies import ReviewDecision

_OPTIONS = (
    ("approve_for_session", "Allow for this session", "allow_always", ReviewDecision.APPROVED_FOR_SESSION),
    ("approve", "Allow once", "allow_once", ReviewDecision.APPROVED),
    ("approve_prefix", "Allow always", "allow_always", ReviewDecision.APPROVED_PREFIX),
    ("deny", "Deny", "reject_once", ReviewDecision.DENIED),
)


def permission_request(session_id: str, request: ApprovalRequest) -> dict[str, Any]:
    """The parameters of the question."""
    match request:
        case ExecApprovalRequest():
            call = command_call(request.call_id, request.command, request.cwd)
        case ApplyPatchApprovalRequest():
            call = patch_call(request.call_id, request.changes)
    rule = request.proposed_rule if isinstance(request, ExecApprovalRequest) else None
    options = [
        {"optionId": option, "name": f"{name}: {rule}" if option == "approve_prefix" else name, "kind": kind}
        for option, name, kind, _ in _OPTIONS
        if rule is not None or option != "approve_prefix"
    ]
    reason = {"_meta": {"reason": request.reason}} if request.reason else {}
    return {"sessionId": session_id, "toolCall": {**call, "status": "pending"}, "options": options, **reason}


def permission_decision(answer: object) -> ReviewDecision | None:
    """The decision that an answer spells; a cancelled one is `abort`. None where it spells none."""
    match answer:
        case {"outcome": {"outcome": "cancelled"}}:
            return ReviewDecision.ABORT
        case {"outcome": {"outcome": "selected", "optionId": chosen}}:
            return next((decision for option, _, _, decision in _OPTIONS if option == chosen), None)
        case _:
            return None
