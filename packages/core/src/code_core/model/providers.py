"""Where models are served, and how to get in."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from code_core.errors import ConfigError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110
# Azure OpenAI and Foundry, their sovereign clouds, API Management and Front Door before them.
_AZURE = (
    *(".azure.com", ".azure.us", ".azure.cn"),
    *(".azure-api.net", ".azure-api.us", ".azure-api.cn"),
    *(".azurefd.net", ".azurefd.us", ".azurefd.cn"),
)


@dataclass(frozen=True, slots=True)
class Provider:
    """An endpoint that speaks the Responses API.

    Attributes:
        base_url: without the trailing `/responses`.
        env_key: the environment variable that holds the API key, if one is needed.
        env_http_headers: header names to the environment variables that hold their values.
        replay_scenario: for the replay provider, the file to replay.
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

    @property
    def responses_url(self) -> str:
        """Where requests go, without the query."""
        return self.base_url.rstrip("/") + "/responses"

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
        """The key from the environment; None where no key is needed.

        Raises:
            ConfigError: the variable is not set, or holds what cannot be in a header.
        """
        if self.env_key is None:
            return None
        key = environ.get(os.fsencode(self.env_key), b"").strip()
        if not key:
            hint = f" ({self.env_key_instructions})" if self.env_key_instructions else ""
            raise ConfigError(
                f"provider {self.id!r} needs an API key: set the environment variable {self.env_key}{hint}"
            )
        if not all(0x21 <= byte <= 0x7E for byte in key):
            raise ConfigError(f"the environment variable {self.env_key} holds spaces or control characters")
        return key

    def headers(self, environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """The configured headers, with lower-case names; those whose variable is empty are left out.

        Raises:
            ConfigError: a name or a value is not one that a header can have; the value is not shown.
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
        return name.lower().encode("ascii")


def builtin_providers(environ: Mapping[str, str]) -> dict[str, Provider]:
    """The providers that need no settings."""
    openai_url = environ.get("OPENAI_BASE_URL", "").strip() or "https://api.openai.com/v1"
    oss_port = environ.get("CODEX_OSS_PORT", "").strip() or "11434"
    oss_url = environ.get("CODEX_OSS_BASE_URL", "").strip() or f"http://localhost:{oss_port}/v1"
    return {
        "openai": Provider(
            id="openai",
            name="OpenAI",
            base_url=openai_url,
            env_key="OPENAI_API_KEY",
            env_http_headers={
                "OpenAI-Organization": "OPENAI_ORGANIZATION",
                "OpenAI-Project": "OPENAI_PROJECT",
            },
        ),
        "oss": Provider(id="oss", name="Ollama", base_url=oss_url),
        "lmstudio": Provider(id="lmstudio", name="LM Studio", base_url="http://localhost:1234/v1"),
        "replay": Provider(id="replay", name="Replay", base_url="replay:"),
    }


def _header_value(value: bytes, where: str) -> bytes:
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value):
        raise ConfigError(f"{where} holds control characters, which no header can")
    return value
