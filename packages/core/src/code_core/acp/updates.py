"""Events as the updates of `session/update`.

Source: Agent Client Protocol, version 1, "Prompt turn" and "Tool calls".
"""

import base64
import codecs
from typing import Any

from code_core.acp.tool_calls import (
    command_call,
    failed_call,
    fenced,
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
from code_core.protocol.events import (
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanUpdate,
    TaskStarted,
    ToolCallFailed,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.mcp_events import McpToolCallBegin, McpToolCallEnd
from code_core.view.append_only import AppendOnly
from code_core.view.visible import readable, visible, visible_line

Update = dict[str, Any]


class UpdateTranslator:
    """Translates the events of one conversation, in order.

    It remembers what was streamed, so that a message which came without deltas
    is sent whole and one which came with them is not sent twice. Clients cannot take
    text back: of a text that is streamed again they get what differs.
    """

    def __init__(self) -> None:
        self._message_streamed = False
        self._thought_streamed = False
        self._output: dict[str, _CommandOutput] = {}
        self._append_only = AppendOnly()

    def updates(self, msg: EventMsg) -> list[Update]:
        """The updates that `msg` gives; none for what the protocol has no word for."""
        return [update for shown in self._append_only.events(msg) for update in self._updates(shown)]

    def _updates(self, msg: EventMsg) -> list[Update]:
        match msg:
            case TaskStarted():
                self._message_streamed = self._thought_streamed = False
            case AgentMessageDelta(delta=delta):
                self._message_streamed = True
                return [_chunk("agent_message_chunk", delta)]
            case AgentMessage(message=text):
                streamed, self._message_streamed = self._message_streamed, False
                return [] if streamed or not text else [_chunk("agent_message_chunk", text)]
            case AgentReasoningDelta(delta=delta):
                self._thought_streamed = True
                return [_chunk("agent_thought_chunk", delta)]
            case AgentReasoning(text=text):
                streamed, self._thought_streamed = self._thought_streamed, False
                return [] if streamed or not text else [_chunk("agent_thought_chunk", text)]
            case ExecCommandBegin():
                self._output[msg.call_id] = _CommandOutput()
                return [_begun(command_call(msg.call_id, msg.command, msg.cwd))]
            case ExecCommandOutputDelta():
                return self._command_output(msg)
            case ExecCommandEnd():
                self._output.pop(msg.call_id, None)
                return [_command_end(msg)]
            case PatchApplyBegin():
                return [_begun(patch_call(msg.call_id, msg.changes))]
            case PatchApplyEnd():
                return [_patch_end(msg)]
            case PlanUpdate():
                return [_plan(msg)]
            case McpToolCallBegin(call_id=call_id, invocation=invocation):
                return [_begun(server_tool_call(call_id, invocation))]
            case ToolCallFailed():
                return [{"sessionUpdate": "tool_call", **failed_call(msg), "status": "failed"}]
            case McpToolCallEnd():
                update = _tool_update(msg.call_id, "completed" if msg.success else "failed")
                return [update | {"content": [text_content(readable(msg.text))] if msg.text else []}]
            case WebSearchBegin(call_id=call_id):
                return [_begun(tool_call(call_id, "Searching the web", "search"))]
            case WebSearchComplete(call_id=call_id, query=query):
                return [
                    {
                        **_tool_update(call_id, "completed"),
                        "title": f"Searched the web: {visible(query or '')}",
                    }
                ]
            case _:
                pass
        return []

    def _command_output(self, msg: ExecCommandOutputDelta) -> list[Update]:
        output = self._output.get(msg.call_id)
        if output is None or not output.add(base64.b64decode(msg.chunk)):
            return []
        return [
            {**_tool_update(msg.call_id, "in_progress"), "content": [text_content(readable(output.shown))]}
        ]


class _CommandOutput:
    """The live output of a command, shown as text that grows, up to a limit.

    Each update carries the whole text, so it is sent when the text has doubled:
    the sum of what is sent stays in proportion to what was printed.
    """

    LIMIT = 64 * 1024

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = ""
        self._sent = 0

    def add(self, chunk: bytes) -> bool:
        """Add output; whether it is time to show it."""
        if len(self.shown) < self.LIMIT:
            self.shown += self._decoder.decode(chunk)
        if len(self.shown) <= 2 * self._sent:
            return False
        self._sent = len(self.shown)
        return True


def _chunk(kind: str, text: str) -> Update:
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}}


def _begun(call: Update) -> Update:
    return {"sessionUpdate": "tool_call", **call, "status": "in_progress"}


def _tool_update(call_id: str, status: str) -> Update:
    return {"sessionUpdate": "tool_call_update", "toolCallId": call_id, "status": status}


def _command_end(msg: ExecCommandEnd) -> Update:
    text = "\n".join(part.rstrip("\n") for part in (msg.stdout, msg.stderr) if part)
    return {
        **_tool_update(msg.call_id, "completed" if msg.exit_code == 0 else "failed"),
        "content": [text_content(fenced(readable(text)))] if text else [],
        "rawOutput": {"exit_code": msg.exit_code, "stdout": msg.stdout, "stderr": msg.stderr},
    }


def _patch_end(msg: PatchApplyEnd) -> Update:
    update = _tool_update(msg.call_id, "completed" if msg.success else "failed")
    if not msg.success:
        update["content"] = [text_content(readable(msg.stderr))]
    return update


def _plan(msg: PlanUpdate) -> Update:
    entries = [
        {"content": visible_line(step.step), "priority": "medium", "status": step.status} for step in msg.plan
    ]
    return {"sessionUpdate": "plan", "entries": entries}
