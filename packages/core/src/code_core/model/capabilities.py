"""Everything that depends on the model, from the settings, the wire, and what we know of the model."""

from collections.abc import Mapping
from dataclasses import field, replace

from code_core.frozen import frozen
from code_core.model.catalog import UNKNOWN, ModelTraits, Prices, family_of
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity, WireApi
from code_core.wire.prompt import ChatQuirks, ModelSettings


@frozen
class ModelPreferences:
    """What the user wants of whichever model is used; None leaves it to the model.

    Attributes:
        model: the one that `reasoning` and `context_window` are about.
        reasoning: whether to ask for reasoning, where the user knows better than we do.
        context_window: in tokens.
        catalog: what the user says of models, by name; a name that ends in `*` is the beginning of one.
        provider: what holds for all models of the provider, unless the model's family departs from it.
        served_windows: windows that the server reports, by model.
        fallback_window: for a model of which nobody knows the window.
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
        """These, with a window that the server reports."""
        return replace(self, served_windows={**self.served_windows, model: window})

    def traits_of(self, model: str) -> ModelTraits:
        """What the user says of `model`: the entry of its name, else the one with the longest beginning of it."""
        if model in self.catalog:
            return self.catalog[model]
        beginnings = [key for key in self.catalog if key.endswith("*") and model.startswith(key[:-1])]
        return self.catalog[max(beginnings, key=len)] if beginnings else UNKNOWN


@frozen
class ModelCapabilities:
    """How one model is asked, and what it can take.

    Attributes:
        settings: the model's part of a request.
        context_window: in tokens; None where nobody knows.
        max_output: in tokens; None where nobody knows.
        prices: of its tokens; None where nobody knows.
        warnings: preferences that have no effect on this model.
    """

    settings: ModelSettings
    context_window: int | None
    max_output: int | None
    prices: Prices | None = None
    warnings: tuple[str, ...] = ()


def capabilities(preferences: ModelPreferences, model: str, wire: WireApi = "responses") -> ModelCapabilities:
    """What holds for `model` on `wire` under `preferences`; asked again for every turn, since the model may change between them.

    The user's word wins over the server's, that over what we know of the model, that over what
    we know of the provider.
    """
    given, family = preferences.traits_of(model), family_of(model)
    if model == preferences.model:
        asked = ModelTraits(context_window=preferences.context_window, reasoning=preferences.reasoning)
        given = asked.over(given)
    served = ModelTraits(context_window=preferences.served_windows.get(model))
    traits = given.over(served).over(family).over(preferences.provider)
    warnings: list[str] = []
    if preferences.verbosity is not None and not traits.verbosity:
        warnings.append(f"model_text_verbosity has no effect: the model {model} does not have it")
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
