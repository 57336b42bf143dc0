"""What we know of models by their names: window, abilities, prices, and how they depart from the API.

Source: the providers' model pages as of October 2025; for open models their chat templates.
"""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Any

from code_core.frozen import frozen
from code_core.protocol.token_events import TokenUsage


@frozen
class Prices:
    """US dollars per million tokens; `cached_input` is for input that the provider found in its cache."""

    input: float
    output: float
    cached_input: float | None = None

    def of(self, usage: TokenUsage) -> float:
        """What `usage` costs, in US dollars; without a price for it, cached input costs what other input does."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
        millions = fresh * self.input + usage.cached_input_tokens * cached + usage.output_tokens * self.output
        return millions / 1_000_000


@frozen
class ModelTraits:
    """What one source says of a model; None where it says nothing. Sizes are in tokens.

    Attributes:
        max_output: how much the model can write.
        verbosity: whether the length of its answers can be chosen.
        freeform_tools: whether it takes tools whose input is plain text.
        tools: whether it calls tools at all.
        images: whether it can see.
        chat: fields of `ChatQuirks`.
        extra_body: further fields of each request.
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
        """These, and what `weaker` says where they say nothing."""
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
"""By the beginning of the name; the longest wins."""


def family_of(model: str) -> ModelTraits:
    """The traits of the family of `model`, which may have its vendor in front (`openai/gpt-5`); `UNKNOWN` without one."""
    name = model.rpartition("/")[2].lower()
    matching = [beginning for beginning in _FAMILIES if name.startswith(beginning)]
    return _FAMILIES[max(matching, key=len)] if matching else UNKNOWN


# What a picker offers first; a name that is not here can be chosen all the same.
_SUGGESTED = {"openai": ("gpt-5-codex", "gpt-5", "gpt-5-mini", "codex-mini-latest", "o3", "o4-mini")}


def suggested_models(provider_id: str) -> tuple[str, ...]:
    """Models of a provider to choose from; none for a provider that we know nothing about."""
    return _SUGGESTED.get(provider_id, ())
