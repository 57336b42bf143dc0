"""The model provider that the settings choose."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from code_core.config.schema.file import ConfigFile
from code_core.config.schema.models import ProviderTable
from code_core.errors import ConfigError
from code_core.model.providers import Provider, builtin_providers


def chosen_provider(
    provider_id: str, settings: ConfigFile, scenario: Path | None, environ: Mapping[str, str]
) -> Provider:
    """The provider called `provider_id`, built in or from the settings.

    Raises:
        ConfigError: it is unknown, or its settings cannot work.
    """
    builtin = builtin_providers(environ)
    if provider_id == "replay":
        if scenario is None:
            raise ConfigError(
                "the replay provider needs a scenario: set CODE_REPLAY or replay_scenario to its file"
            )
        return replace(builtin["replay"], replay_scenario=scenario)
    if provider_id in builtin:
        return _with_usable_url(builtin[provider_id])
    table = settings.model_providers.get(provider_id)
    if table is None:
        known = ", ".join(sorted({*builtin, *settings.model_providers}))
        raise ConfigError(f"model provider {provider_id!r} is not known (known: {known})")
    return _with_usable_url(_from_table(provider_id, table))


def _from_table(provider_id: str, table: ProviderTable) -> Provider:
    if table.wire_api == "chat":
        raise ConfigError(
            f'model provider {provider_id!r} has wire_api = "chat", which is not spoken yet: '
            'use an endpoint with wire_api = "responses"'
        )
    return Provider(
        id=provider_id,
        name=table.name or provider_id,
        base_url=table.base_url,
        env_key=table.env_key or ("OPENAI_API_KEY" if table.requires_openai_auth else None),
        env_key_instructions=table.env_key_instructions,
        query_params=table.query_params,
        http_headers=table.http_headers,
        env_http_headers=table.env_http_headers,
        request_max_retries=table.request_max_retries,
        stream_max_retries=table.stream_max_retries,
        stream_idle_timeout=table.stream_idle_timeout_ms / 1000,
    )


def _with_usable_url(provider: Provider) -> Provider:
    where, url = f"model provider {provider.id!r}: base_url", provider.base_url
    try:
        parts = urlsplit(url)
        complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise ConfigError(f"{where} is not a URL: check its host and port") from None
    if "@" in parts.netloc:  # and a password, maybe: it is not shown
        raise ConfigError(f"{where} holds a user name: give it as a header instead (env_http_headers)")
    if "?" in url or "#" in url:  # the same of a key
        raise ConfigError(f"{where} has a query or a fragment: put it in query_params")
    if not complete:
        raise ConfigError(f"{where} {url!r} must begin with http:// or https:// and a host")
    if not url.isprintable() or " " in url:
        raise ConfigError(f"{where} {url!r} holds spaces or control characters")
    return provider
