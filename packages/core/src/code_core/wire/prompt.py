"""What one request asks of a model, whatever the wire format."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from code_core.protocol.items import ResponseItem
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model and how a request asks it; None leaves the choice to the provider."""

    model: str
    reasoning: bool = False
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    parallel_tool_calls: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request: who the agent is, what was said, what it can do.

    `input` is complete and valid: every call answered, no answer without its call.
    `tools` are in wire form and in a fixed order, so that the provider's prompt
    cache sees the same bytes again.
    """

    settings: ModelSettings
    conversation_id: str
    instructions: str
    input: Sequence[ResponseItem]
    tools: Sequence[dict[str, Any]] = field(default_factory=tuple)
    output_schema: dict[str, Any] | None = None
