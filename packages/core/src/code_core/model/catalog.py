"""What we know of models: window, abilities, and how they take patches."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """The traits that models of one family share; sizes in tokens."""

    context_window: int | None = None
    max_output: int | None = None
    reasoning: bool = False
    verbosity: bool = False
    local_shell: bool = False
    parallel_tool_calls: bool = True
    patch_tool: Literal["freeform", "function"] = "function"
    patch_instructions: bool = True


# Longest matching prefix wins.
_FAMILIES: dict[str, ModelFamily] = {
    "gpt-5": ModelFamily(
        272_000, 128_000, reasoning=True, verbosity=True, patch_tool="freeform", patch_instructions=False
    ),
    "o3": ModelFamily(200_000, 100_000, reasoning=True),
    "o4-mini": ModelFamily(200_000, 100_000, reasoning=True),
    "codex-mini": ModelFamily(200_000, 100_000, reasoning=True, local_shell=True),
    "gpt-4.1": ModelFamily(1_047_576, 32_768),
    "gpt-4o": ModelFamily(128_000, 16_384),
    "gpt-oss": ModelFamily(96_000, 32_000, reasoning=True, patch_instructions=False),
    "openai/gpt-oss": ModelFamily(96_000, 32_000, reasoning=True, patch_instructions=False),
    "gpt-3.5": ModelFamily(16_385, 4_096),
}
_UNKNOWN = ModelFamily()


def family_of(model: str) -> ModelFamily:
    """The family of `model`; traits of an unknown one are the ones that work everywhere."""
    matching = [prefix for prefix in _FAMILIES if model.startswith(prefix)]
    return _FAMILIES[max(matching, key=len)] if matching else _UNKNOWN


# What a picker offers first; a name that is not here can be chosen all the same.
_SUGGESTED = {"openai": ("gpt-5-codex", "gpt-5", "gpt-5-mini", "codex-mini-latest", "o3", "o4-mini")}


def suggested_models(provider_id: str) -> tuple[str, ...]:
    """Models of a provider to choose from; none for a provider that we know nothing about."""
    return _SUGGESTED.get(provider_id, ())
