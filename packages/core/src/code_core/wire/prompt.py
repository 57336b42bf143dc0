"""What one request asks of a model, whatever the wire format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from code_core.protocol.items import ResponseItem
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity
from code_core.wire.tool_specs import ToolSpec


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model and how a request asks it; None leaves the choice to the provider.

    Attributes:
        freeform_tools: whether the model takes tools whose input is plain text; else they are functions.
    """

    model: str
    reasoning: bool = False
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    parallel_tool_calls: bool = True
    freeform_tools: bool = False


@dataclass(frozen=True, slots=True)
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
