"""Converts events to `session/update` notifications.

Source: Agent Client Protocol, version 1, "Prompt turn", "Tool calls", "Agent plan" (schema of SDK 2.4.0).
"""

from dataclasses import dataclass, field
from typing import Any

from code_core.acp.capabilities import NOTHING_DECLARED, ClientCapabilities
from code_core.acp.command_output import CommandOutput, GrowingText, TerminalOutput, decoded
from code_core.acp.message_ids import MessageIds
from code_core.acp.notices import compaction_updates, notice, plan_update
from code_core.acp.permissions import question_call
from code_core.acp.tool_calls import (
    ToolCallFields,
    beyond_the_diffs,
    command_call,
    failed_call,
    patch_call,
    server_tool_call,
    text_content,
    tool_call,
)
from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
)
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import (
    ErrorEvent,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanUpdate,
    StreamError,
    TaskComplete,
    TaskStarted,
    ToolCallFailed,
    TurnAborted,
    WarningEvent,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.mcp_events import McpToolCallBegin, McpToolCallEnd, McpToolCallProgress
from code_core.protocol.session_events import (
    ContextCompacted,
    ExitedReviewMode,
    SessionRenamed,
    UndoCompleted,
)
from code_core.protocol.token_events import TokenCount
from code_core.view.append_only import AppendOnly
from code_core.view.plan_tags import WithoutPlanTags
from code_core.view.undo import undo_lines
from code_core.view.visible import readable, visible

Update = dict[str, Any]


@dataclass(slots=True)
class UpdateTranslator:
    """Translates the events of one conversation, in order.

    It tracks streamed text, so that a message without deltas is sent whole and a streamed one is
    not sent twice. Clients cannot withdraw text, so when text is streamed again, only the
    difference is sent.

    Args:
        client: the client's capabilities; updates that it does not support are not sent.
    """

    client: ClientCapabilities = NOTHING_DECLARED
    _ids: MessageIds = field(default_factory=MessageIds)
    _output: dict[str, CommandOutput] = field(default_factory=dict)
    _open_calls: dict[str, None] = field(default_factory=dict)
    _append_only: AppendOnly = field(default_factory=AppendOnly)
    _plan_tags: WithoutPlanTags = field(default_factory=WithoutPlanTags)

    def updates(self, msg: EventMsg) -> list[Update]:
        """Return the updates for `msg`; empty if the protocol has no equivalent."""
        self._ids.observe(msg)
        return [
            update
            for untagged in self._plan_tags.events(msg)
            for shown in self._append_only.events(untagged)
            for update in self._updates(shown)
        ]

    @property
    def withholds(self) -> bool:
        """Whether output of a running command has not been shown yet."""
        return any(output.withholds for output in self._output.values())

    def withheld(self) -> list[Update]:
        """Return updates that show the withheld output; call it when that has waited long enough."""
        return [
            _tool_update(call_id, "in_progress") | output.withheld()
            for call_id, output in self._output.items()
            if isinstance(output, GrowingText) and output.withholds
        ]

    def denied(self, call_id: str) -> list[Update]:
        """Return the updates for a call that the user denied."""
        if call_id not in self._open_calls:
            return []
        del self._open_calls[call_id]
        return [_tool_update(call_id, "failed")]

    def _updates(self, msg: EventMsg) -> list[Update]:
        match msg:
            case AgentMessageDelta(delta=delta):
                return [self._ids.chunk("agent_message_chunk", delta)]
            case AgentMessage(message=text):
                return self._ids.whole("agent_message_chunk", text)
            case AgentReasoningDelta(delta=delta):
                return [self._ids.chunk("agent_thought_chunk", delta)]
            case AgentReasoning(text=text):
                return self._ids.whole("agent_thought_chunk", text)
            case ExecCommandOutputDelta(call_id=call_id, chunk=chunk):
                output = self._output.get(call_id)
                fields = None if output is None else output.add(decoded(chunk))
                return [] if fields is None else [_tool_update(call_id, "in_progress") | fields]
            case TokenCount(info=info) if info is not None and info.model_context_window:
                used = info.last_token_usage.total_tokens
                cost = info.total_cost_usd
                spent = {} if cost is None else {"cost": {"amount": round(cost, 6), "currency": "USD"}}
                return [
                    {
                        "sessionUpdate": "usage_update",
                        "used": used,
                        "size": info.model_context_window,
                        **spent,
                    }
                ]
            case PlanUpdate():
                return [plan_update(msg, self.client)]
            case TaskStarted() | TaskComplete() | TurnAborted() | ErrorEvent():
                self._ids.end()
                return self.fail_open_calls()
            case WarningEvent(message=text):
                return [notice(self.client, "warning", readable(text), self._ids.fresh())]
            case StreamError(message=text):
                return [notice(self.client, "info", readable(text), None)] if self.client.notices else []
            case ContextCompacted():
                return compaction_updates(msg, self.client, self._ids.fresh())
            case ExitedReviewMode(review=str(text)):
                return self._ids.whole("agent_message_chunk", text)
            case UndoCompleted():
                return self._ids.whole("agent_message_chunk", "\n".join(undo_lines(msg)))
            case SessionRenamed(name=name):
                return [{"sessionUpdate": "session_info_update", "title": name}]
            case _:
                return self._tool_updates(msg)

    def _tool_updates(self, msg: EventMsg) -> list[Update]:
        match msg:
            case ExecApprovalRequest() | ApplyPatchApprovalRequest():
                return [self._question_update(msg)]
            case ExecCommandBegin(call_id=call_id, cwd=cwd):
                kind = TerminalOutput if self.client.terminal_output else GrowingText
                output = self._output[call_id] = kind(call_id)
                call = command_call(call_id, msg.command, cwd, msg.parsed_cmd)
                return [self._begun(call | output.begin(cwd))]
            case ExecCommandEnd(call_id=call_id):
                output = self._output.pop(call_id, None) or GrowingText(call_id)
                raw = {"exit_code": msg.exit_code, "stdout": msg.stdout, "stderr": msg.stderr}
                return [self._ended(call_id, msg.exit_code == 0) | output.end(msg) | {"rawOutput": raw}]
            case PatchApplyBegin(call_id=call_id, changes=changes):
                call = patch_call(call_id, changes)
                return [self._begun(call | {"content": [*beyond_the_diffs(changes), *call["content"]]})]
            case PatchApplyEnd(call_id=call_id, success=success):
                update = self._ended(call_id, success)
                return [update if success else update | {"content": [text_content(readable(msg.stderr))]}]
            case McpToolCallBegin(call_id=call_id, invocation=invocation):
                return [self._begun(server_tool_call(call_id, invocation))]
            case McpToolCallProgress(call_id=call_id, message=str(text)) if text:
                return [_tool_update(call_id, "in_progress") | {"content": [text_content(readable(text))]}]
            case McpToolCallEnd(call_id=call_id, success=success):
                content = [text_content(readable(msg.text))] if msg.text else []
                return [self._ended(call_id, success) | {"content": content}]
            case ToolCallFailed():
                self._open_calls.pop(msg.call_id, None)
                return [{"sessionUpdate": "tool_call", **failed_call(msg), "status": "failed"}]
            case WebSearchBegin(call_id=call_id):
                return [self._begun(tool_call(call_id, "Searching the web", "fetch", name="web_search"))]
            case WebSearchComplete(call_id=call_id, query=query):
                title = f"Searched the web: {visible(query or '')}"
                return [self._ended(call_id, success=True) | {"title": title}]
            case _:
                return []

    def _question_update(self, request: ApprovalRequest) -> Update:
        """The call that a question is about, shown before the question is asked."""
        call = question_call(request)
        kind = "tool_call_update" if request.call_id in self._open_calls else "tool_call"
        self._open_calls[request.call_id] = None
        return {"sessionUpdate": kind, **call}

    def _begun(self, call: ToolCallFields) -> Update:
        """The start of a call, which may have been announced by a question."""
        kind = "tool_call_update" if call["toolCallId"] in self._open_calls else "tool_call"
        self._open_calls[call["toolCallId"]] = None
        content: Update = (
            {"content": []} if kind == "tool_call_update" else {}
        )  # removes the question, which has been answered
        return {"sessionUpdate": kind, **content, **call, "status": "in_progress"}

    def _ended(self, call_id: str, success: bool) -> Update:
        self._open_calls.pop(call_id, None)
        return _tool_update(call_id, "completed" if success else "failed")

    def fail_open_calls(self) -> list[Update]:
        """Return updates that end the calls that are still open, because their turn has ended."""
        left, self._open_calls = self._open_calls, {}
        return [_tool_update(call_id, "failed") for call_id in left]


def _tool_update(call_id: str, status: str) -> Update:
    return {"sessionUpdate": "tool_call_update", "toolCallId": call_id, "status": status}
