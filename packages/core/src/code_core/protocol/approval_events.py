"""Approval requests. Each has a unique id, which its answer carries."""

from typing import Literal

from code_core.protocol.file_changes import FileChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import FilePath, Text


class ExecApprovalRequest(ProtocolModel):
    """Asks whether a command may run; answered by `exec_approval`, whose `id` is the `approval_id`.

    Attributes:
        approval_id: the id for the answer. It equals the `call_id` for the first question about a call;
            every further one has a new id.
        reason: why we ask.
        justification: why the model wants it, in the model's words.
        sandboxed: whether the command will run confined.
        escalated: whether it leaves a sandbox that would otherwise confine it.
        proposed_rule: the text of the rule that the decision `approved_prefix` adds.
        rule_allows: a sentence about what else that rule allows.
        mcp: the tool call in question, if any; `command` then only describes it.
    """

    type: Literal["exec_approval_request"] = "exec_approval_request"
    call_id: Text
    approval_id: Text
    command: list[Text]
    cwd: FilePath
    reason: Text | None = None
    justification: Text | None = None
    sandboxed: bool = False
    escalated: bool = False
    proposed_rule: Text | None = None
    rule_allows: Text | None = None
    mcp: McpInvocation | None = None


class ApplyPatchApprovalRequest(ProtocolModel):
    """Asks whether a patch may be applied; answered by `patch_approval`, whose `id` is the `approval_id`."""

    type: Literal["apply_patch_approval_request"] = "apply_patch_approval_request"
    call_id: Text
    approval_id: Text
    changes: dict[Text, FileChange]
    reason: Text | None = None
    grant_root: FilePath | None = None


ApprovalRequest = ExecApprovalRequest | ApplyPatchApprovalRequest
