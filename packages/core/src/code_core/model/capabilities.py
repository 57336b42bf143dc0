"""Everything that depends on the model, from the settings and what we know of the model."""

from dataclasses import dataclass

from code_core.model.catalog import family_of
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity
from code_core.wire.prompt import ModelSettings


@dataclass(frozen=True, slots=True)
class ModelPreferences:
    """What the user wants of whichever model is used; None leaves it to the model.

    Attributes:
        model: the one that `reasoning` and `context_window` are about.
        reasoning: whether to ask for reasoning, where the user knows better than we do.
        context_window: in tokens.
    """

    model: str
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    reasoning: bool | None = None
    context_window: int | None = None


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """How one model is asked, and what it can take.

    Attributes:
        settings: the model's part of a request.
        context_window: in tokens; None where nobody knows.
        max_output: in tokens; None where nobody knows.
        warnings: preferences that have no effect on this model.
    """

    settings: ModelSettings
    context_window: int | None
    max_output: int | None
    warnings: tuple[str, ...] = ()


def capabilities(preferences: ModelPreferences, model: str) -> ModelCapabilities:
    """What holds for `model` under `preferences`; asked again for every turn, since the model may change between them."""
    family = family_of(model)
    reasoning, context_window = family.reasoning, family.context_window
    if model == preferences.model:
        reasoning = reasoning if preferences.reasoning is None else preferences.reasoning
        context_window = preferences.context_window or context_window
    warnings: list[str] = []
    if preferences.verbosity is not None and not family.verbosity:
        warnings.append(f"model_text_verbosity has no effect: the model {model} does not have it")
    return ModelCapabilities(
        settings=ModelSettings(
            model=model,
            reasoning=reasoning,
            effort=preferences.effort,
            summary=preferences.summary,
            verbosity=preferences.verbosity if family.verbosity else None,
            parallel_tool_calls=family.parallel_tool_calls,
            freeform_tools=family.freeform_tools,
        ),
        context_window=context_window,
        max_output=family.max_output,
        warnings=tuple(warnings),
    )
