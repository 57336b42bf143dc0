"""Events for streamed messages and reasoning of the model."""

from typing import Literal

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import Text


class AgentMessage(ProtocolModel):
    """A complete message from the model."""

    type: Literal["agent_message"] = "agent_message"
    message: Text
    item_id: Text | None = None


class AgentMessageDelta(ProtocolModel):
    """The next piece of a message."""

    type: Literal["agent_message_delta"] = "agent_message_delta"
    delta: Text
    item_id: Text | None = None


class AgentMessageReset(ProtocolModel):
    """The current message is withdrawn, because its stream broke before it was complete.

    Discard the deltas since the last `agent_message`; the request is repeated.
    """

    type: Literal["agent_message_reset"] = "agent_message_reset"
    item_id: Text | None = None


class AgentReasoning(ProtocolModel):
    """A complete part of a reasoning summary."""

    type: Literal["agent_reasoning"] = "agent_reasoning"
    text: Text
    item_id: Text | None = None


class AgentReasoningDelta(ProtocolModel):
    """The next piece of a reasoning summary."""

    type: Literal["agent_reasoning_delta"] = "agent_reasoning_delta"
    delta: Text
    item_id: Text | None = None


class AgentReasoningRawContent(ProtocolModel):
    """A complete part of raw reasoning."""

    type: Literal["agent_reasoning_raw_content"] = "agent_reasoning_raw_content"
    text: Text
    item_id: Text | None = None


class AgentReasoningRawContentDelta(ProtocolModel):
    """The next piece of raw reasoning."""

    type: Literal["agent_reasoning_raw_content_delta"] = "agent_reasoning_raw_content_delta"
    delta: Text
    item_id: Text | None = None


class AgentReasoningSectionBreak(ProtocolModel):
    """A new part of the reasoning summary begins."""

    type: Literal["agent_reasoning_section_break"] = "agent_reasoning_section_break"


class AgentReasoningReset(ProtocolModel):
    """The current reasoning is withdrawn, as `agent_message_reset` withdraws a message."""

    type: Literal["agent_reasoning_reset"] = "agent_reasoning_reset"
