"""Relays the events of a turn to a client, in the notifications that it supports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from code_core.acp.updates import Update, UpdateTranslator
from code_core.protocol.agent_events import AgentMessage
from code_core.protocol.events import (
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    PatchApplyBegin,
    WarningEvent,
)
from code_core.protocol.mcp_events import ElicitationComplete, McpToolCallBegin
from code_core.view.append_only import AppendOnly
from code_core.view.titles import command_title
from code_core.view.visible import visible
from code_mcp_server.dialogue import Caller
from code_mcp_server.eras import LOG_LEVELS
from code_mcp_server.live_output import LiveOutput


@dataclass(slots=True)
class Relay:
    """Sends the events of a turn to the client of one request.

    Every event is sent as `codex/event`. For `session/prompt` there are also `session/update` notifications; for
    clients that request progress, `notifications/progress`; and for log messages, `notifications/message`.

    Args:
        caller: the client.
        conversation_id: the session id in updates.
        append_only: adapts the session's events, because clients cannot withdraw text.
        translator: creates the updates.
    """

    caller: Caller
    conversation_id: str
    append_only: AppendOnly
    translator: UpdateTranslator | None = None
    _steps: int = 0

    @property
    def live(self) -> LiveOutput | None:
        """What reads the events, so that the client sees the output of running commands in time."""
        return None if self.translator is None else LiveOutput(self.translator, self._send_updates)

    async def send(self, event: Event) -> None:
        """Notify the client of `event`."""
        for shown in self.append_only.numbered(event):
            params = shown.model_dump(mode="json", exclude_none=True)
            await self.caller.peer.notify(
                "codex/event", params | {"_meta": {"requestId": str(self.caller.request_id)}}
            )
        if self.translator is not None:
            await self._send_updates(self.translator.updates(event.msg))
        if isinstance(event.msg, ElicitationComplete) and not self.caller.modern:
            done = {"elicitationId": event.msg.id}
            await self.caller.peer.notify("notifications/elicitation/complete", done)
        await self._progress(event.msg)
        await self._log(event.msg)

    async def _send_updates(self, updates: Sequence[Update]) -> None:
        for update in updates:
            await self.caller.peer.notify(
                "session/update", {"sessionId": self.conversation_id, "update": update}
            )

    async def _progress(self, msg: EventMsg) -> None:
        if self.caller.progress_token is None or (step := _step(msg)) is None:
            return
        self._steps += 1
        params = {"progressToken": self.caller.progress_token, "progress": self._steps, "message": step}
        await self.caller.peer.notify("notifications/progress", params)

    async def _log(self, msg: EventMsg) -> None:
        wanted = self.caller.log_level
        match msg:
            case WarningEvent(message=text):
                level = "warning"
            case ErrorEvent(message=text):
                level = "error"
            case _:
                return
        if wanted is not None and LOG_LEVELS.index(level) >= LOG_LEVELS.index(wanted):
            params: dict[str, Any] = {"level": level, "logger": "code", "data": text}
            await self.caller.peer.notify("notifications/message", params)


def _step(msg: EventMsg) -> str | None:
    """The event as a progress step for the client, or None if it is not one."""
    match msg:
        case ExecCommandBegin(command=command):
            return command_title(command)
        case PatchApplyBegin(changes=changes):
            return f"Change {len(changes)} file{'' if len(changes) == 1 else 's'}"
        case McpToolCallBegin(invocation=call):
            return visible(f"{call.server}: {call.tool}")
        case AgentMessage(message=text):
            return visible(text)[:200]
        case _:
            return None
