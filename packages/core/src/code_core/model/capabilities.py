"""Model-dependent behaviour, derived from the settings, the wire, and the catalog."""

from collections.abc import Mapping
from dataclasses import field, replace

from code_core.frozen import frozen
from code_core.model.catalog import UNKNOWN, ModelTraits, Prices, family_of
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity, WireApi
from code_core.wire.prompt import ChatQuirks, ModelSettings


@frozen
class ModelPreferences:
    """The user's preferences for whichever model is used; None leaves the choice to the model.

    Attributes:
        model: the model that `reasoning` and `context_window` apply to.
        reasoning: whether to request reasoning, overriding the catalog.
        context_window: in tokens.
        catalog: the user's model settings by name; a name ending in `*` is a prefix.
        provider: traits of all models of the provider, unless the model's family overrides them.
        served_windows: context windows that the server reports, by model.
        fallback_window: assumed for models whose window is unknown.
    """

    model: str
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary = ReasoningSummary.AUTO
    verbosity: Verbosity | None = None
    reasoning: bool | None = None
    context_window: int | None = None
    catalog: Mapping[str, ModelTraits] = field(default_factory=dict)
    provider: ModelTraits = UNKNOWN
    served_windows: Mapping[str, int] = field(default_factory=dict)
    fallback_window: int | None = None

    def with_served_window(self, model: str, window: int) -> "ModelPreferences":
        """Return these preferences with a window that the server reports."""
        return replace(self, served_windows={**self.served_windows, model: window})

    def traits_of(self, model: str) -> ModelTraits:
        """Return the user's settings for `model`: the entry with its exact name, or else the longest matching prefix."""
        if model in self.catalog:
            return self.catalog[model]
        beginnings = [key for key in self.catalog if key.endswith("*") and model.startswith(key[:-1])]
        return self.catalog[max(beginnings, key=len)] if beginnings else UNKNOWN


@frozen
class ModelCapabilities:
    """How to query one model, and its limits.

    Attributes:
        settings: the model's part of a request.
        context_window: in tokens; None if unknown.
        max_output: in tokens; None if unknown.
        prices: the prices of its tokens; None if unknown.
        warnings: preferences that have no effect on this model.
    """

    settings: ModelSettings
    context_window: int | None
    max_output: int | None
    prices: Prices | None = None
    warnings: tuple[str, ...] = ()


def capabilities(preferences: ModelPreferences, model: str, wire: WireApi = "responses") -> ModelCapabilities:
    """Return the capabilities of `model` on `wire`; computed for every turn, because the model may change.

    Precedence: the user's settings, then what the server reports, then the model's family, then the
    provider.
    """
    given, family = preferences.traits_of(model), family_of(model)
    if model == preferences.model:
        asked = ModelTraits(context_window=preferences.context_window, reasoning=preferences.reasoning)
        given = asked.over(given)
    served = ModelTraits(context_window=preferences.served_windows.get(model))
    traits = given.over(served).over(family).over(preferences.provider)
    warnings: list[str] = []
    if preferences.verbosity is not None and not traits.verbosity:
        warnings.append(f"model_text_verbosity has no effect: the model {model} does not support it")
    return ModelCapabilities(
        settings=ModelSettings(
            model=model,
            reasoning=traits.reasoning is True,
            effort=preferences.effort,
            summary=preferences.summary,
            verbosity=preferences.verbosity if traits.verbosity else None,
            parallel_tool_calls=traits.parallel_tool_calls is not False,
            freeform_tools=traits.freeform_tools is True and wire == "responses",
            tools=traits.tools is not False,
            images=traits.images is not False,
            max_output=given.max_output,
            extra_body=traits.extra_body,
            chat=ChatQuirks(**traits.chat),
        ),
        context_window=traits.context_window or preferences.fallback_window,
        max_output=traits.max_output,
        prices=traits.prices,
        warnings=tuple(warnings),
    )
