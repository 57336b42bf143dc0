"""Assigns ids to message chunks, so that clients know where one message ends and the next begins."""

from itertools import count
from typing import Any

from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
)
from code_core.protocol.events import EventMsg

Chunk = dict[str, Any]
_TEXTS = AgentMessageDelta | AgentMessage | AgentReasoningDelta | AgentReasoning


class MessageIds:
    """The id of the message being streamed, for each kind of chunk.

    These are the engine's ids if events have them, which also survive a resume, and new ids otherwise.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._latest: str | None = None
        self._streaming: dict[str, str] = {}

    def observe(self, msg: EventMsg) -> None:
        """Update the ids from the next event, before its chunks are created."""
        if isinstance(msg, _TEXTS):
            self._latest = msg.item_id

    def chunk(self, kind: str, text: str) -> Chunk:
        """Return the next piece of a streamed message."""
        message_id = self._streaming.get(kind)
        if message_id is None:
            message_id = self._streaming[kind] = self._latest or self.fresh()
        return chunk(kind, text, message_id)

    def whole(self, kind: str, text: str) -> list[Chunk]:
        """Return a complete message, or nothing if it has been streamed."""
        if self._streaming.pop(kind, None) is not None or not text:
            return []
        return [chunk(kind, text, self._latest or self.fresh())]

    def end(self) -> None:
        """End the current messages."""
        self._streaming.clear()
        self._latest = None

    def fresh(self) -> str:
        """Return a new id, for a message without one from the engine."""
        return f"message-{next(self._numbers)}"


def chunk(kind: str, text: str, message_id: str) -> Chunk:
    """Return the update for a piece of text."""
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}, "messageId": message_id}
