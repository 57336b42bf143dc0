"""Chunks of messages with the ids that tell a client where one message ends and the next begins."""

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
    """The id of the message that streams, for each kind of chunk.

    The engine's own ids where events have them, which a resumed session has too; others otherwise.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._latest: str | None = None
        self._streaming: dict[str, str] = {}

    def observe(self, msg: EventMsg) -> None:
        """Take note of the next event, before its chunks are made."""
        if isinstance(msg, _TEXTS):
            self._latest = msg.item_id

    def chunk(self, kind: str, text: str) -> Chunk:
        """The next piece of a message that streams."""
        message_id = self._streaming.get(kind)
        if message_id is None:
            message_id = self._streaming[kind] = self._latest or self.fresh()
        return chunk(kind, text, message_id)

    def whole(self, kind: str, text: str) -> list[Chunk]:
        """A complete message: nothing where it has been streamed."""
        if self._streaming.pop(kind, None) is not None or not text:
            return []
        return [chunk(kind, text, self._latest or self.fresh())]

    def end(self) -> None:
        """What follows are other messages."""
        self._streaming.clear()
        self._latest = None

    def fresh(self) -> str:
        """A new id, for a message without one from the engine."""
        return f"message-{next(self._numbers)}"


def chunk(kind: str, text: str, message_id: str) -> Chunk:
    """The update for a piece of text."""
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}, "messageId": message_id}
