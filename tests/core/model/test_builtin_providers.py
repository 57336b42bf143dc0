"""The providers that need no settings, and how settings change them."""

import re
from pathlib import Path

import pytest

from code_core.config.load import ConfigOverrides, load_config
from code_core.errors import ConfigError
from code_core.model.providers import Provider, builtin_providers

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"


def load(home: Path, text: str = "", **environ: str) -> Provider:
    (home / "config.toml").write_text(text)
    return load_config(ConfigOverrides(cwd=home), {"CODE_HOME": str(home), **environ}).provider


@pytest.mark.parametrize(
    ("provider_id", "url", "wire", "server", "key"),
    [
        ("openai", "https://api.openai.com/v1", "responses", None, "OPENAI_API_KEY"),
        ("oss", "http://localhost:11434/v1", "chat", "ollama", None),
        ("lmstudio", "http://localhost:1234/v1", "chat", "lmstudio", None),
        ("llamacpp", "http://localhost:8080/v1", "chat", "llamacpp", None),
        ("vllm", "http://localhost:8000/v1", "chat", "vllm", None),
        ("openrouter", "https://openrouter.ai/api/v1", "chat", None, "OPENROUTER_API_KEY"),
    ],
)
def test_a_built_in_provider(
    tmp_path: Path, provider_id: str, url: str, wire: str, server: str | None, key: str | None
) -> None:
    provider = load(tmp_path, f'model_provider = "{provider_id}"')
    assert (provider.id, provider.base_url, provider.wire_api) == (provider_id, url, wire)
    assert (provider.server, provider.env_key) == (server, key)
    assert provider.is_loopback == (server is not None)


def test_azure_is_at_its_endpoint(tmp_path: Path) -> None:
    provider = load(
        tmp_path, 'model_provider = "azure"', AZURE_OPENAI_ENDPOINT="https://me.openai.azure.com/"
    )
    assert provider.request_url == "https://me.openai.azure.com/openai/v1/responses"
    assert provider.env_key == "AZURE_OPENAI_API_KEY"
    assert provider.stores_responses
    with pytest.raises(ConfigError, match="'azure' has no address: set base_url or AZURE_OPENAI_ENDPOINT"):
        load(tmp_path, 'model_provider = "azure"')


def test_openai_can_use_chat_completions(tmp_path: Path) -> None:
    assert load(tmp_path, OPENAI_WIRE_API="chat").request_url.endswith("/v1/chat/completions")
    assert load(tmp_path, OPENAI_WIRE_API="responses").request_url.endswith("/v1/responses")


def test_settings_change_only_the_given_keys_of_a_built_in_provider(tmp_path: Path) -> None:
    text = (
        'model_provider = "llamacpp"\n[model_providers.llamacpp]\nbase_url = "http://127.0.0.1:9/v1"\n'
        "stream_idle_timeout_ms = 7000\nrequest_max_retries = 1\n"
    )
    provider = load(tmp_path, text)
    assert (provider.base_url, provider.wire_api, provider.server) == (
        "http://127.0.0.1:9/v1",
        "chat",
        "llamacpp",
    )
    assert (provider.stream_idle_timeout, provider.request_max_retries) == (7.0, 1)
    assert provider.name == "llama.cpp"


def test_settings_for_a_providers_model_override_those_for_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'model_provider = "vllm"\nmodel = "m"\n'
        '[models.m]\ncontext_window = 10\nmax_output_tokens = 5\ntool_form = "none"\n'
        "prices = { input = 1.5, cached_input = 0.5, output = 3 }\nextra_body = { top_k = 4 }\n"
        "[models.m.chat]\nreasoning_history = false\n"
        "[model_providers.vllm.models.m]\ncontext_window = 20\nimages = false\n"
        "[model_providers.oss.models.m]\ncontext_window = 30\n"
    )
    config = load_config(ConfigOverrides(cwd=tmp_path), {"CODE_HOME": str(tmp_path)})
    assert config.warnings == ()
    traits = config.preferences.traits_of("m")
    assert (traits.context_window, traits.max_output, traits.tools, traits.images) == (20, 5, False, False)
    assert traits.prices is not None
    assert (traits.prices.input, traits.prices.cached_input, traits.prices.output) == (1.5, 0.5, 3)
    assert (traits.extra_body, traits.chat) == ({"top_k": 4}, {"reasoning_history": False})
    assert config.preferences.fallback_window == 8_192


@pytest.mark.parametrize(
    ("provider", "environ", "url"),
    [
        ("openai", {"OPENAI_BASE_URL": " https://gateway/v1 "}, "https://gateway/v1"),
        ("oss", {"CODEX_OSS_PORT": " 99 "}, "http://localhost:99/v1"),
        ("oss", {"CODEX_OSS_BASE_URL": "http://box/v1", "CODEX_OSS_PORT": "99"}, "http://box/v1"),
        ("azure", {"AZURE_OPENAI_ENDPOINT": " https://me/X/ "}, "https://me/X/openai/v1"),
        ("openai", {"OPENAI_BASE_URL": " ", "CODEX_OSS_PORT": "99"}, "https://api.openai.com/v1"),
    ],
)
def test_the_environment_changes_the_address_of_a_built_in_provider_unless_the_settings_do(
    tmp_path: Path, provider: str, environ: dict[str, str], url: str
) -> None:
    chosen = f'model_provider = "{provider}"'
    assert load(tmp_path, chosen, **environ).base_url == url
    own = f'{chosen}\n[model_providers.{provider}]\nbase_url = "http://own"'
    assert load(tmp_path, own, **environ).base_url == "http://own"


def test_a_variable_of_another_provider_has_no_effect(tmp_path: Path) -> None:
    nonsense = {"AZURE_OPENAI_ENDPOINT": "https://me/?api-version=1", "CODEX_OSS_BASE_URL": "nonsense"}
    assert load(tmp_path, **nonsense).id == "openai"
    with pytest.raises(
        ConfigError, match=r"^CODEX_OSS_BASE_URL: model provider 'oss': base_url 'nonsense' must"
    ):
        load(tmp_path, 'model_provider = "oss"', **nonsense)
    with pytest.raises(
        ConfigError, match=r"^OPENAI_WIRE_API: model_providers\.openai\.wire_api is 'grpc': it must"
    ):
        load(tmp_path, OPENAI_WIRE_API="grpc")


def test_the_documentation_has_a_row_and_an_example_for_each_provider(tmp_path: Path) -> None:
    page = PAGE.read_text()
    for provider in builtin_providers().values():
        [row] = re.findall(rf"^\| `{provider.id}` \|.*$", page, re.MULTILINE)
        if provider.base_url not in {"", "replay:"}:
            assert f"`{provider.base_url}`" in row
        assert f"`{provider.wire_api}`" in row
        assert provider.env_key is None or f"`{provider.env_key}`" in row
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)):
        home = tmp_path / str(number)
        home.mkdir()
        environ = {"AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com", "CODE_HOME": str(home)}
        (home / "config.toml").write_text(block)
        assert load_config(ConfigOverrides(cwd=home), environ).warnings == ()
