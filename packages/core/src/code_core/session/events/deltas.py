"""Merges streaming deltas that no reader has taken yet."""

import base64
from collections.abc import Hashable

from code_core.protocol.agent_events import (
    AgentMessageDelta,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
)
from code_core.protocol.events import EventMsg, EventOrder, ExecCommandOutputDelta

Delta = AgentMessageDelta | AgentReasoningDelta | AgentReasoningRawContentDelta | ExecCommandOutputDelta


def stream_item(submission: str, msg: Delta, order: EventOrder | None) -> Hashable:
    """The key of the item that a delta belongs to."""
    if isinstance(msg, ExecCommandOutputDelta):
        return submission, msg.call_id
    position = None if order is None else (order.request_ordinal, order.output_index)
    return submission, msg.type, position


def stream_of(msg: EventMsg) -> str:
    """The name of the stream within its item."""
    return msg.stream if isinstance(msg, ExecCommandOutputDelta) else msg.type


def delta_text(msg: Delta) -> str:
    """The text that a delta adds."""
    return msg.chunk if isinstance(msg, ExecCommandOutputDelta) else msg.delta


def merged(msg: EventMsg, parts: list[str]) -> EventMsg:
    """Return a delta extended by the text of later ones."""
    if isinstance(msg, ExecCommandOutputDelta):
        whole = b"".join(base64.b64decode(part) for part in (msg.chunk, *parts))
        return msg.model_copy(update={"chunk": base64.b64encode(whole).decode("ascii")})
    assert isinstance(msg, Delta)  # noqa: S101 - only deltas are merged
    return msg.model_copy(update={"delta": "".join((msg.delta, *parts))})
