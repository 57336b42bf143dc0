"""Model providers: their endpoints and credentials."""

import os
from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from code_core.errors import ConfigError
from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.model.catalog import UNKNOWN, ModelTraits
from code_core.protocol.policies import WireApi

_TOKEN = lazy_pattern(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110
_OF_THE_CONNECTION = {
    *("connection", "content-length", "keep-alive", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
# Azure OpenAI and Foundry, including sovereign clouds and endpoints behind API Management or Front Door.
_AZURE = (
    *(".azure.com", ".azure.us", ".azure.cn"),
    *(".azure-api.net", ".azure-api.us", ".azure-api.cn"),
    *(".azurefd.net", ".azurefd.us", ".azurefd.cn"),
)

ServerKind = Literal["ollama", "lmstudio", "llamacpp", "vllm"]
FALLBACK_WINDOW = 8_192
LONGEST_KEY = 8_192
_PATHS: dict[WireApi, str] = {"responses": "/responses", "chat": "/chat/completions"}
_START_COMMANDS: dict[ServerKind, str] = {
    "ollama": "ollama serve",
    "lmstudio": "lms server start",
    "llamacpp": "llama-server --jinja -m MODEL.gguf",
    "vllm": "vllm serve MODEL --enable-auto-tool-choice --tool-call-parser PARSER",
}


@frozen
class Provider:
    """An endpoint that serves models.

    Attributes:
        base_url: without the trailing `/responses` or `/chat/completions`.
        env_key: the environment variable with the API key, if one is needed.
        env_http_headers: maps header names to the environment variables that hold their values.
        replay_scenario: for the replay provider, the file to replay.
        server: the server program, which can be asked for a model's context window.
        traits: traits of all its models.
    """

    id: str
    name: str
    base_url: str
    env_key: str | None = None
    env_key_instructions: str | None = None
    query_params: Mapping[str, str] = field(default_factory=dict)
    http_headers: Mapping[str, str] = field(default_factory=dict)
    env_http_headers: Mapping[str, str] = field(default_factory=dict)
    request_max_retries: int = 4
    stream_max_retries: int = 5
    stream_idle_timeout: float = 300.0
    replay_scenario: Path | None = None
    wire_api: WireApi = "responses"
    server: ServerKind | None = None
    traits: ModelTraits = UNKNOWN

    @property
    def request_url(self) -> str:
        """The request URL, without the query."""
        return self.base_url.rstrip("/") + _PATHS[self.wire_api]

    @property
    def start_hint(self) -> str:
        """How to start the server on this machine; empty if unknown."""
        return "" if self.server is None else f"Start it with: {_START_COMMANDS[self.server]}"

    @property
    def fallback_window(self) -> int | None:
        """The window to assume if none is known, because local servers often have a small one."""
        return None if self.server is None else FALLBACK_WINDOW

    @property
    def stores_responses(self) -> bool:
        """Whether requests must ask for storage and re-attach item ids, as Azure wants."""
        host = urlsplit(self.base_url).hostname or ""
        return host.rstrip(".").endswith(_AZURE)

    @property
    def is_loopback(self) -> bool:
        """Whether the endpoint is on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def api_key(self, environ: Mapping[bytes, bytes]) -> bytes | None:
        """Return the key from the environment, or None if no key is needed.

        Raises:
            ConfigError: the variable is not set, or its value is not valid in a header.
        """
        if self.env_key is None:
            return None
        key = environ.get(os.fsencode(self.env_key), b"").strip()
        if not key:
            hint = f" ({self.env_key_instructions})" if self.env_key_instructions else ""
            raise ConfigError(
                f"provider {self.id!r} needs an API key: run code login, "
                f"or set the environment variable {self.env_key}{hint}"
            )
        check_key(key, f"the environment variable {self.env_key}")
        return key

    def headers(self, environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the configured headers, with lower-case names, omitting those whose variable is empty.

        Raises:
            ConfigError: a name or a value is not valid in a header; the value is not shown.
        """
        headers: dict[bytes, bytes] = {}
        for name, value in self.http_headers.items():
            headers[self._header_name(name)] = _header_value(
                value.strip().encode("utf-8", "surrogateescape"),
                f"provider {self.id!r}: the value of the header {name!r}",
            )
        for name, variable in self.env_http_headers.items():
            if given := environ.get(os.fsencode(variable), b"").strip():
                headers[self._header_name(name)] = _header_value(
                    given, f"the environment variable {variable}"
                )
        return headers

    def _header_name(self, name: str) -> bytes:
        if _TOKEN.fullmatch(name) is None:
            raise ConfigError(f"provider {self.id!r}: {name!r} is not a header name")
        if (lower := name.lower()) in _OF_THE_CONNECTION:
            raise ConfigError(
                f"provider {self.id!r}: the header {name!r} cannot be set, because it belongs to the connection"
            )
        return lower.encode("ascii")


def check_key(key: bytes, where: str) -> None:
    """Check that `key` can be an API key.

    Raises:
        ConfigError: it is empty, too long, or has characters that a header cannot have; it is not shown.
    """
    if not key:
        raise ConfigError(f"{where} is empty")
    if len(key) > LONGEST_KEY:
        raise ConfigError(f"{where} is longer than {LONGEST_KEY:,} bytes")
    if not all(0x21 <= byte <= 0x7E for byte in key):
        raise ConfigError(f"{where} contains spaces or control characters, or letters that are not ASCII")


def builtin_providers() -> dict[str, Provider]:
    """Return the providers that need no settings."""
    providers = (
        Provider(
            id="openai",
            name="OpenAI",
            base_url="https://api.openai.com/v1",
            env_key="OPENAI_API_KEY",
            env_http_headers={
                "OpenAI-Organization": "OPENAI_ORGANIZATION",
                "OpenAI-Project": "OPENAI_PROJECT",
            },
        ),
        _local("oss", "Ollama", "http://localhost:11434/v1", "ollama"),
        _local("lmstudio", "LM Studio", "http://localhost:1234/v1", "lmstudio"),
        _local("llamacpp", "llama.cpp", "http://localhost:8080/v1", "llamacpp"),
        _local("vllm", "vLLM", "http://localhost:8000/v1", "vllm"),
        Provider(
            id="openrouter",
            name="OpenRouter",
            base_url="https://openrouter.ai/api/v1",
            env_key="OPENROUTER_API_KEY",
            env_key_instructions="https://openrouter.ai/settings/keys",
            wire_api="chat",
            traits=ModelTraits(chat={"effort_field": "reasoning"}),
        ),
        Provider(
            id="azure",
            name="Azure OpenAI",
            base_url="",  # each account has its own
            env_key="AZURE_OPENAI_API_KEY",
        ),
        Provider(id="replay", name="Replay", base_url="replay:"),
    )
    return {provider.id: provider for provider in providers}


def _local(provider_id: str, name: str, url: str, server: ServerKind) -> Provider:
    """A server on this machine; all of them support Chat Completions."""
    return Provider(id=provider_id, name=name, base_url=url, wire_api="chat", server=server)


def _header_value(value: bytes, where: str) -> bytes:
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value):
        raise ConfigError(f"{where} contains control characters, which a header cannot contain")
    return value
