from dataclasses import replace

import pytest

from code_core.model.capabilities import ModelPreferences, capabilities
from code_core.model.catalog import UNKNOWN, ModelTraits, Prices, family_of
from code_core.model.providers import Provider
from code_core.protocol.policies import ReasoningEffort, Verbosity

LOW = ModelPreferences("gpt-5", verbosity=Verbosity.LOW, effort=ReasoningEffort.HIGH)


def test_model_dependent_settings_change_with_the_model() -> None:
    new, old = capabilities(LOW, "gpt-5-codex"), capabilities(LOW, "gpt-4.1")
    assert (new.context_window, new.max_output, new.settings.freeform_tools) == (
        272_000,
        128_000,
        True,
    )
    assert (old.context_window, old.max_output, old.settings.freeform_tools) == (
        1_047_576,
        32_768,
        False,
    )
    assert (new.settings.model, new.settings.reasoning, new.settings.verbosity) == (
        "gpt-5-codex",
        True,
        Verbosity.LOW,
    )
    assert (old.settings.model, old.settings.reasoning, old.settings.verbosity) == ("gpt-4.1", False, None)
    assert new.settings.parallel_tool_calls
    assert new.settings.effort is ReasoningEffort.HIGH


def test_a_preference_without_effect_is_a_warning() -> None:
    assert capabilities(LOW, "gpt-5").warnings == ()
    assert capabilities(ModelPreferences("o3"), "o3").warnings == ()
    [warning] = capabilities(LOW, "o3").warnings
    assert warning == "model_text_verbosity has no effect: the model o3 does not support it"


def test_settings_for_one_model_apply_only_to_that_model() -> None:
    mine = ModelPreferences("mine", reasoning=True, context_window=5)
    assert (capabilities(mine, "mine").context_window, capabilities(mine, "mine").settings.reasoning) == (
        5,
        True,
    )
    assert (capabilities(mine, "x").context_window, capabilities(mine, "x").settings.reasoning) == (
        None,
        False,
    )
    assert not capabilities(ModelPreferences("o3", reasoning=False), "o3").settings.reasoning


def test_a_vendor_prefix_and_a_size_do_not_hide_the_family() -> None:
    assert family_of("openai/gpt-5-mini") == family_of("gpt-5-mini-2025-08-07")
    assert family_of("gpt-5-mini").prices != family_of("gpt-5").prices
    assert family_of("gpt-oss:20b").reasoning
    assert family_of("hf.co/someone/Gemma-3-27B-GGUF").chat == {"alternate_roles": True}
    assert family_of("mistralai/Devstral-Small").chat["short_call_ids"]
    assert family_of("deepseek/deepseek-v4-flash").chat == {"reasoning_required": True}
    assert family_of("something-gpt-5") == UNKNOWN


def test_prices_are_those_of_the_model() -> None:
    assert capabilities(LOW, "gpt-5-codex").prices == Prices(1.25, 10, 0.125)
    assert capabilities(LOW, "mine").prices is None
    mine = replace(LOW, catalog={"mine": ModelTraits(prices=Prices(1, 2))})
    assert capabilities(mine, "mine").prices == Prices(1, 2)


def test_tools_become_functions_on_a_wire_without_plain_text_tools() -> None:
    assert capabilities(LOW, "gpt-5", "responses").settings.freeform_tools
    assert not capabilities(LOW, "gpt-5", "chat").settings.freeform_tools
    assert capabilities(LOW, "gpt-5", "chat").settings.chat.max_tokens_field == "max_completion_tokens"


def test_the_user_overrides_the_server_the_family_and_the_provider_in_that_order() -> None:
    provider = ModelTraits(images=True, chat={"effort_field": "reasoning", "alternate_roles": False})
    preferences = ModelPreferences(
        "x",
        provider=provider,
        served_windows={"gpt-oss:20b": 4_096, "gemma": 2_048},
        fallback_window=8_192,
        catalog={
            "gemma*": ModelTraits(context_window=1, images=False),
            "gemma-3*": ModelTraits(context_window=3, tools=False, extra_body={"a": 1}),
            "gemma-3-1b": ModelTraits(context_window=31, max_output=9, parallel_tool_calls=False),
        },
    )
    served = capabilities(preferences, "gpt-oss:20b")
    assert (served.context_window, served.max_output, served.settings.max_output) == (4_096, 32_000, None)
    assert not served.settings.images
    assert capabilities(preferences, "unknown").context_window == 8_192
    assert capabilities(preferences, "unknown").settings.images
    assert capabilities(preferences, "gemma").context_window == 1
    middle = capabilities(preferences, "gemma-3-4b")
    assert (middle.context_window, middle.settings.tools, middle.settings.extra_body) == (3, False, {"a": 1})
    own = capabilities(preferences, "gemma-3-1b")
    assert (own.context_window, own.settings.max_output, own.settings.parallel_tool_calls) == (31, 9, False)
    assert own.settings.tools
    assert (own.settings.chat.effort_field, own.settings.chat.alternate_roles) == ("reasoning", True)
    named = replace(preferences, model="gemma", context_window=77, reasoning=True)
    assert capabilities(named, "gemma").context_window == 77
    assert capabilities(named, "gemma").settings.reasoning
    assert capabilities(named, "gemma-3-4b").context_window == 3


def test_a_served_window_applies_to_one_model() -> None:
    preferences = LOW.with_served_window("a", 1).with_served_window("b", 2)
    assert [capabilities(preferences, name).context_window for name in "abc"] == [1, 2, None]


@pytest.mark.parametrize(
    ("host", "stores"),
    [
        *((f"n.{name}", True) for name in ("openai.azure.com", "openai.azure.us", "openai.azure.cn")),
        *(
            (f"n.{name}", True)
            for name in ("cognitiveservices.azure.com", "services.ai.azure.com", "cognitiveservices.azure.us")
        ),
        *((f"n.{name}", True) for name in ("azure-api.net", "azure-api.us", "azure-api.cn", "azurefd.net")),
        ("N.OpenAI.Azure.US", True),
        ("n.openai.azure.com.", True),
        ("openai.azure.com.example.com", False),
        ("notazure.com", False),
        ("api.openai.com", False),
    ],
)
def test_azure_is_recognised_by_its_hosts(host: str, stores: bool) -> None:
    assert Provider(id="a", name="A", base_url=f"https://{host}/openai/v1").stores_responses == stores
