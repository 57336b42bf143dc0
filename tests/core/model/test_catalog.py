"""What is known about models: families, prices, and the precedence of sources."""

import pytest

from code_core.model.capabilities import ModelPreferences, capabilities
from code_core.model.catalog import ModelTraits, Prices, family_of, suggested_models
from code_core.protocol.policies import ReasoningSummary
from code_core.protocol.token_events import TokenUsage


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("gpt-5", Prices(1.25, 10, 0.125)),
        ("gpt-5-mini", Prices(0.25, 2, 0.025)),
        ("gpt-5-pro", Prices(15, 120, None)),
        ("openai/GPT-4o-mini-2024", Prices(0.15, 0.6, 0.075)),
        ("mistral-large", None),
        ("unheard-of", None),
    ],
)
def test_the_longest_matching_prefix_decides_the_price(model: str, prices: Prices | None) -> None:
    assert family_of(model).prices == prices


def test_fully_cached_input_costs_only_the_cached_price() -> None:
    usage = TokenUsage(input_tokens=5, cached_input_tokens=5)
    assert Prices(1_000_000, 1, 0.0).of(usage) == 0.0


@pytest.mark.parametrize(("cached", "dollars"), [(0.5, 9.5), (None, 11.0)])
def test_a_price_is_for_a_million_tokens(cached: float | None, dollars: float) -> None:
    usage = TokenUsage(input_tokens=3_000_000, cached_input_tokens=1_000_000, output_tokens=500_000)
    assert Prices(2, 10, cached).of(usage) == dollars


def test_traits_are_merged_and_the_stronger_ones_win() -> None:
    stronger = ModelTraits(extra_body={"a": 1}, chat={"x": 1})
    weaker = ModelTraits(extra_body={"a": 2, "b": 2}, chat={"x": 2, "y": 2})
    joined = stronger.over(weaker)
    assert joined.extra_body == {"a": 1, "b": 2}
    assert joined.chat == {"x": 1, "y": 2}


def test_a_pattern_must_match_its_whole_prefix_and_the_longest_one_wins() -> None:
    shorter, longer = ModelTraits(context_window=1), ModelTraits(context_window=2)
    preferences = ModelPreferences("m", catalog={"own-5*": ModelTraits(context_window=3)})
    assert preferences.traits_of("own-4") == ModelTraits()
    preferences = ModelPreferences("m", catalog={"own*": shorter, "own *": longer})
    assert preferences.traits_of("own model") == longer


def test_the_summary_of_reasoning_is_what_the_user_prefers() -> None:
    preferences = ModelPreferences("m", summary=ReasoningSummary.DETAILED)
    assert capabilities(preferences, "m").settings.summary is ReasoningSummary.DETAILED


def test_a_picker_suggests_models_of_known_providers_only() -> None:
    assert "gpt-5" in suggested_models("openai")
    assert suggested_models("unheard-of") == ()
