"""Known models by name: context window, abilities, prices, and deviations from the API.

Sources: the providers' model pages as of October 2025; for open models, their chat templates.
"""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Any

from code_core.frozen import frozen
from code_core.protocol.token_events import TokenUsage


@frozen
class Prices:
    """US dollars per million tokens; `cached_input` applies to input that the provider had cached."""

    input: float
    output: float
    cached_input: float | None = None

    def of(self, usage: TokenUsage) -> float:
        """Return the cost of `usage` in US dollars; without a price for cached input, it costs the same as other input."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
        millions = fresh * self.input + usage.cached_input_tokens * cached + usage.output_tokens * self.output
        return millions / 1_000_000


@frozen
class ModelTraits:
    """The traits of a model according to one source; None if the source does not know. Sizes are in tokens.

    Attributes:
        max_output: the most that the model can write.
        verbosity: whether the length of answers can be chosen.
        freeform_tools: whether it supports tools with plain-text input.
        tools: whether it can call tools.
        images: whether it accepts images.
        chat: fields of `ChatQuirks`.
        extra_body: additional fields for each request.
    """

    context_window: int | None = None
    max_output: int | None = None
    reasoning: bool | None = None
    verbosity: bool | None = None
    parallel_tool_calls: bool | None = None
    freeform_tools: bool | None = None
    tools: bool | None = None
    images: bool | None = None
    prices: Prices | None = None
    chat: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def over(self, weaker: "ModelTraits") -> "ModelTraits":
        """Return these traits, completed from `weaker` where they are unset."""
        given = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}
        given["chat"] = {**weaker.chat, **self.chat}
        given["extra_body"] = {**weaker.extra_body, **self.extra_body}
        return replace(weaker, **given)


UNKNOWN = ModelTraits()
_OPENAI = {"max_tokens_field": "max_completion_tokens"}
_GPT_5 = ModelTraits(272_000, 128_000, reasoning=True, verbosity=True, freeform_tools=True, chat=_OPENAI)
_MISTRAL = ModelTraits(chat={"alternate_roles": True, "short_call_ids": True})


def _priced(traits: ModelTraits, input_: float, cached: float | None, output: float) -> ModelTraits:
    return replace(traits, prices=Prices(input_, output, cached))


_FAMILIES: dict[str, ModelTraits] = {
    "gpt-5": _priced(_GPT_5, 1.25, 0.125, 10),
    "gpt-5-mini": _priced(_GPT_5, 0.25, 0.025, 2),
    "gpt-5-nano": _priced(_GPT_5, 0.05, 0.005, 0.4),
    "gpt-5-pro": _priced(_GPT_5, 15, None, 120),
    "o3": _priced(ModelTraits(200_000, 100_000, reasoning=True, chat=_OPENAI), 2, 0.5, 8),
    "o4-mini": _priced(ModelTraits(200_000, 100_000, reasoning=True, chat=_OPENAI), 1.1, 0.275, 4.4),
    "codex-mini": _priced(ModelTraits(200_000, 100_000, reasoning=True), 1.5, 0.375, 6),
    "gpt-4.1": _priced(ModelTraits(1_047_576, 32_768), 2, 0.5, 8),
    "gpt-4.1-mini": _priced(ModelTraits(1_047_576, 32_768), 0.4, 0.1, 1.6),
    "gpt-4.1-nano": _priced(ModelTraits(1_047_576, 32_768), 0.1, 0.025, 0.4),
    "gpt-4o": _priced(ModelTraits(128_000, 16_384), 2.5, 1.25, 10),
    "gpt-4o-mini": _priced(ModelTraits(128_000, 16_384), 0.15, 0.075, 0.6),
    "gpt-oss": ModelTraits(96_000, 32_000, reasoning=True, images=False),
    "gpt-3.5": _priced(ModelTraits(16_385, 4_096, images=False), 0.5, None, 1.5),
    "deepseek": ModelTraits(images=False, chat={"reasoning_required": True}),
    "gemma": ModelTraits(chat={"alternate_roles": True}),
    **dict.fromkeys(("mistral", "ministral", "magistral", "devstral", "codestral", "pixtral"), _MISTRAL),
}
"""By name prefix; the longest match wins."""


def family_of(model: str) -> ModelTraits:
    """Return the traits of the family of `model`, with or without a vendor prefix (`openai/gpt-5`), or `UNKNOWN`."""
    name = model.rpartition("/")[2].lower()
    matching = [beginning for beginning in _FAMILIES if name.startswith(beginning)]
    return _FAMILIES[max(matching, key=len)] if matching else UNKNOWN


# Offered first by a picker; other names can be chosen too.
_SUGGESTED = {"openai": ("gpt-5-codex", "gpt-5", "gpt-5-mini", "codex-mini-latest", "o3", "o4-mini")}


def suggested_models(provider_id: str) -> tuple[str, ...]:
    """Return suggested models for a provider, or an empty tuple if it is unknown."""
    return _SUGGESTED.get(provider_id, ())
