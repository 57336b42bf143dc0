"""Events about token usage, cost and remaining limits."""

from typing import Any, Literal

from code_core.protocol.model import ProtocolModel


class TokenUsage(ProtocolModel):
    """Tokens as counted by the provider."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            **{name: getattr(self, name) + getattr(other, name) for name in TokenUsage.model_fields}
        )


class TokenUsageInfo(ProtocolModel):
    """Usage of the conversation and of its last request.

    Attributes:
        total_cost_usd: cost in US dollars, as far as prices are known; None if none are.
    """

    total_token_usage: TokenUsage
    last_token_usage: TokenUsage
    model_context_window: int | None = None
    total_cost_usd: float | None = None


class LimitsLeft(ProtocolModel):
    """What is left of the turn's limits; unset limits are absent."""

    tool_calls: int | None = None
    wall_seconds: float | None = None
    total_tokens: int | None = None
    cost_usd: float | None = None


class TokenCount(ProtocolModel):
    """Token usage after a response."""

    type: Literal["token_count"] = "token_count"
    info: TokenUsageInfo | None = None
    rate_limits: dict[str, Any] | None = None
    limits_left: LimitsLeft | None = None
