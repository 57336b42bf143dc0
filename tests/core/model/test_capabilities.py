import pytest

from code_core.model.capabilities import ModelPreferences, capabilities
from code_core.model.providers import Provider
from code_core.protocol.policies import ReasoningEffort, Verbosity

LOW = ModelPreferences("gpt-5", verbosity=Verbosity.LOW, effort=ReasoningEffort.HIGH)


def test_what_depends_on_the_model_changes_with_it() -> None:
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
    assert warning == "model_text_verbosity has no effect: the model o3 does not have it"


def test_what_the_user_says_of_one_model_holds_for_that_one_only() -> None:
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
def test_azure_is_known_by_its_hosts(host: str, stores: bool) -> None:
    assert Provider(id="a", name="A", base_url=f"https://{host}/openai/v1").stores_responses == stores
