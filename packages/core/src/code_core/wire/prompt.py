"""What one request asks of a model, whatever the wire format."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from code_core.frozen import frozen
from code_core.protocol.items import ResponseItem
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity
from code_core.wire.tool_specs import ToolSpec


@frozen
class ChatQuirks:
    """How a model or its server departs from Chat Completions.

    Attributes:
        system_role: the role of the instructions.
        max_tokens_field: what the limit of the output is called.
        effort_field: what the reasoning effort is called.
        stream_usage: whether the usage is asked for; a server that refuses this is noticed without it.
        alternate_roles: whether two messages of the user must be sent as one.
        reasoning_history: whether reasoning is sent back.
        reasoning_required: whether messages of the assistant without `reasoning_content` are refused.
        short_call_ids: whether ids of calls must be nine letters and digits.
        think_tags: whether the text begins with reasoning in `<think>` tags; `opened`: in its closing tag alone.
    """

    system_role: Literal["system", "developer", "user"] = "system"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    effort_field: Literal["reasoning_effort", "reasoning", "none"] = "reasoning_effort"
    stream_usage: bool = True
    alternate_roles: bool = False
    reasoning_history: bool = True
    reasoning_required: bool = False
    short_call_ids: bool = False
    think_tags: Literal["none", "paired", "opened"] = "none"


NO_QUIRKS = ChatQuirks()


@frozen
class ModelSettings:
    """A model and how a request asks it; None leaves the choice to the provider.

    Attributes:
        freeform_tools: whether the model takes tools whose input is plain text; else they are functions.
        tools: whether it calls tools at all.
        images: whether it can see.
        max_output: the most tokens that it may write, where the user limits that.
        extra_body: further fields of the request, from the user's settings.
    """

    model: str
    reasoning: bool = False
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    parallel_tool_calls: bool = True
    freeform_tools: bool = False
    tools: bool = True
    images: bool = True
    max_output: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    chat: ChatQuirks = NO_QUIRKS


@frozen
class Prompt:
    """One request: who the agent is, what was said, what it can do.

    `input` is complete and valid: every call answered, no answer without its call.
    `tools` are in a fixed order, so that the provider's prompt cache sees the same
    bytes again.
    """

    settings: ModelSettings
    conversation_id: str
    instructions: str
    input: Sequence[ResponseItem]
    tools: Sequence[ToolSpec] = ()
    output_schema: dict[str, Any] | None = None
