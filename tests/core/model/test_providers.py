"""What a provider takes from the environment, and what it is like."""

import pytest

from code_core.errors import ConfigError
from code_core.model.providers import Provider, builtin_providers

KEYED = Provider("p", "P", "https://p.example/v1", env_key="MINE", env_key_instructions="see p.example/keys")


def test_a_key_comes_from_its_variable() -> None:
    assert KEYED.api_key({b"MINE": b" key \n"}) == b"key"
    assert (
        KEYED.api_key({b"MINE": b"!~"}) == b"!~"
    )  # the first and the last character that can be in a header
    assert Provider("p", "P", "https://p").api_key({b"MINE": b"key"}) is None


@pytest.mark.parametrize("environ", [{}, {b"MINE": b" "}])
def test_a_missing_key_is_an_error_with_advice(environ: dict[bytes, bytes]) -> None:
    with pytest.raises(ConfigError) as caught:
        KEYED.api_key(environ)
    assert str(caught.value) == (
        "provider 'p' needs an API key: run code login, or set the environment variable MINE (see p.example/keys)"
    )
    with pytest.raises(ConfigError, match=r"variable MINE$"):
        Provider("p", "P", "https://p", env_key="MINE").api_key(environ)


@pytest.mark.parametrize("key", [b"a b", b"a\x7fb", b"k\xc3\xa9y", b"a\nb"])
def test_a_key_that_cannot_be_sent_is_not_shown(key: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        KEYED.api_key({b"MINE": key})
    assert str(caught.value) == (
        "the environment variable MINE contains spaces or control characters, or letters that are not ASCII"
    )


def test_headers_come_from_settings_or_variables() -> None:
    provider = Provider(
        "p",
        "P",
        "https://p",
        http_headers={"X-Team": " r\u00e9d\udcff ", "X-Tab": "a\tb ~"},
        env_http_headers={"X-User": "ME", "X-Empty": "EMPTY", "X-Missing": "MISSING"},
    )
    assert provider.headers({b"ME": b" me ", b"EMPTY": b" "}) == {
        b"x-team": b"r\xc3\xa9d\xff",
        b"x-tab": b"a\tb ~",
        b"x-user": b"me",
    }


@pytest.mark.parametrize("value", ["a\x1fb", "a\x7fb", "a\nb", "a\x0bb", "a\x00b"])
def test_a_header_that_cannot_be_sent_is_not_shown(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Provider("p", "P", "https://p", http_headers={"X-Team": value}).headers({})
    assert str(caught.value) == (
        "provider 'p': the value of the header 'X-Team' contains control characters, which a header cannot contain"
    )
    with pytest.raises(ConfigError) as caught:
        Provider("p", "P", "https://p", env_http_headers={"X-Team": "TEAM"}).headers(
            {b"TEAM": value.encode()}
        )
    assert str(caught.value) == (
        "the environment variable TEAM contains control characters, which a header cannot contain"
    )


@pytest.mark.parametrize("name", ["", "a b", "X-T\u00e9am", "a:b", "a\n"])
def test_an_invalid_header_name_is_rejected(name: str) -> None:
    for provider in (
        Provider("p", "P", "https://p", http_headers={name: "x"}),
        Provider("p", "P", "https://p", env_http_headers={name: "ME"}),
    ):
        with pytest.raises(ConfigError, match=r"^provider 'p': .* is not a header name$"):
            provider.headers({b"ME": b"x"})


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE"])
def test_a_header_that_would_change_the_framing_of_requests_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^provider 'p': the header '{name}' cannot be set"):
        Provider("p", "P", "https://p", http_headers={name: "x"}).headers({})


def test_a_local_server_can_be_started() -> None:
    assert Provider("p", "P", "http://localhost/v1", server="ollama").start_hint == (
        "Start it with: ollama serve"
    )
    assert KEYED.start_hint == ""


@pytest.mark.parametrize(
    ("url", "stores"),
    [
        ("https://me.openai.azure.com/openai/v1", True),
        ("https://ME.OPENAI.AZURE.COM./openai/v1", True),
        ("https://azure.com.evil.example/v1", False),
        ("https://myazure.com/v1", False),
    ],
)
def test_azure_requires_stored_responses(url: str, stores: bool) -> None:
    assert Provider("p", "P", url).stores_responses is stores


def test_a_trailing_slash_in_the_address_has_no_effect() -> None:
    assert Provider("p", "P", "https://p/vX/").request_url == "https://p/vX/responses"


def test_the_built_in_providers_are_known_by_these_names() -> None:
    providers = builtin_providers()
    assert {one.id: one.name for one in providers.values()} == {
        "openai": "OpenAI",
        "oss": "Ollama",
        "lmstudio": "LM Studio",
        "llamacpp": "llama.cpp",
        "vllm": "vLLM",
        "openrouter": "OpenRouter",
        "azure": "Azure OpenAI",
        "replay": "Replay",
    }
    assert list(providers) == [one.id for one in providers.values()]
    assert providers["openrouter"].env_key_instructions == "https://openrouter.ai/settings/keys"


def test_openai_gets_the_organization_and_the_project_from_the_environment() -> None:
    provider = builtin_providers()["openai"]
    assert provider.headers({b"OPENAI_ORGANIZATION": b"org-1", b"OPENAI_PROJECT": b"proj-1"}) == {
        b"openai-organization": b"org-1",
        b"openai-project": b"proj-1",
    }


def test_openrouter_gets_the_effort_in_its_own_field() -> None:
    """Source: openrouter.ai/docs, "Reasoning Tokens"."""
    assert builtin_providers()["openrouter"].traits.chat == {"effort_field": "reasoning"}
