"""A request to a model, independent of the wire format."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from code_core.frozen import frozen
from code_core.protocol.items import ResponseItem
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity
from code_core.wire.tool_specs import ToolSpec


@frozen
class ChatQuirks:
    """How a model or its server deviates from Chat Completions.

    Attributes:
        system_role: the role of the instructions.
        max_tokens_field: the field for the output limit.
        effort_field: the field for the reasoning effort.
        stream_usage: whether to request the usage; servers that reject this are detected anyway.
        alternate_roles: whether consecutive user messages must be merged.
        reasoning_history: whether reasoning is sent back.
        reasoning_required: whether assistant messages without `reasoning_content` are rejected.
        short_call_ids: whether call ids must be nine letters and digits.
        think_tags: whether the text begins with reasoning in `<think>` tags, or for `opened`, up to a closing tag.
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
    """A model and its request settings; None leaves the choice to the provider.

    Attributes:
        freeform_tools: whether the model supports tools with plain-text input; otherwise they become functions.
        tools: whether the model can call tools.
        images: whether the model accepts images.
        max_output: the user's limit on output tokens, if any.
        extra_body: additional request fields from the user's settings.
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
    """One request: instructions, history and tools.

    `input` is complete and valid: every call has an output, and every output has a call.
    `tools` are in a stable order, so that the provider's prompt cache sees the same bytes
    again.
    """

    settings: ModelSettings
    conversation_id: str
    instructions: str
    input: Sequence[ResponseItem]
    tools: Sequence[ToolSpec] = ()
    output_schema: dict[str, Any] | None = None
