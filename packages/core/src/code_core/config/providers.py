"""The model provider chosen by the settings, and the user's settings for models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from code_core.config.layers import Layer, located, values_at
from code_core.config.schema.file import ConfigFile
from code_core.config.schema.models import ModelTable, ProviderTable
from code_core.errors import ConfigError
from code_core.model.catalog import UNKNOWN, ModelTraits, Prices
from code_core.model.providers import Provider, builtin_providers


def chosen_provider(
    provider_id: str,
    settings: ConfigFile,
    scenario: Path | None,
    layers: Sequence[Layer],
) -> Provider:
    """Return the provider `provider_id`, built in or from the settings, which come from `layers`.

    Raises:
        ConfigError: it is unknown, or its settings are invalid.
    """
    builtin = builtin_providers()
    if provider_id == "replay":
        if scenario is None:
            raise ConfigError(
                "the replay provider needs a scenario: set CODE_REPLAY or replay_scenario to its file"
            )
        return replace(builtin["replay"], replay_scenario=scenario)
    table = settings.model_providers.get(provider_id)
    if provider_id in builtin:
        return _with_usable_url(_changed(builtin[provider_id], table), layers)
    if table is None:
        known = ", ".join(sorted({*builtin, *settings.model_providers}))
        where = located(layers, ("model_provider",))
        raise ConfigError(f"{where}: model provider {provider_id!r} is not known (known: {known})")
    return _with_usable_url(_changed(Provider(id=provider_id, name=provider_id, base_url=""), table), layers)


def catalog(settings: ConfigFile, provider_id: str) -> dict[str, ModelTraits]:
    """Return the user's model settings; those for the provider override the general ones."""
    tables = settings.model_providers.get(provider_id)
    general = {name: _traits(table) for name, table in settings.models.items()}
    own = {name: _traits(table) for name, table in (tables.models if tables else {}).items()}
    return general | {name: traits.over(general.get(name, UNKNOWN)) for name, traits in own.items()}


def _traits(table: ModelTable) -> ModelTraits:
    prices = table.prices
    return ModelTraits(
        context_window=table.context_window,
        max_output=table.max_output_tokens,
        reasoning=table.reasoning,
        verbosity=table.verbosity,
        parallel_tool_calls=table.parallel_tool_calls,
        freeform_tools=None if table.tool_form is None else table.tool_form == "freeform",
        tools=None if table.tool_form is None else table.tool_form != "none",
        images=table.images,
        prices=None if prices is None else Prices(prices.input, prices.output, prices.cached_input),
        chat=table.chat.model_dump(exclude_none=True),
        extra_body=table.extra_body,
    )


def _changed(provider: Provider, table: ProviderTable | None) -> Provider:
    """`provider` with the overrides in `table`."""
    if table is None:
        return provider
    same = {
        "name",
        "base_url",
        "env_key",
        "env_key_instructions",
        "wire_api",
        "server",
        "query_params",
        "http_headers",
        "env_http_headers",
        "request_max_retries",
        "stream_max_retries",
    }
    given = {name: getattr(table, name) for name in same & table.model_fields_set}
    if "stream_idle_timeout_ms" in table.model_fields_set:
        given["stream_idle_timeout"] = table.stream_idle_timeout_ms / 1000
    if table.requires_openai_auth:
        given.setdefault("env_key", "OPENAI_API_KEY")
    return replace(provider, **{name: value for name, value in given.items() if value is not None})


def _with_usable_url(provider: Provider, layers: Sequence[Layer]) -> Provider:
    where, url = f"model provider {provider.id!r}: base_url", provider.base_url
    path = ("model_providers", provider.id, "base_url")
    if (found := next(values_at(layers, path), None)) is not None:
        where = f"{found.layer.locate(path)}: {where}"
    if not url:
        hint = " or AZURE_OPENAI_ENDPOINT" if provider.id == "azure" else ""
        raise ConfigError(f"model provider {provider.id!r} has no address: set base_url{hint}")
    if (problem := url_problem(url)) is not None:
        raise ConfigError(f"{where} {problem}")
    return provider


def url_problem(url: str) -> str | None:
    """Return why `url` cannot be a `base_url`, as the rest of a sentence without secrets, or None."""
    try:
        parts = urlsplit(url)
        complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return "is not a URL: check its host and port"
    if "@" in parts.netloc:  # may include a password, so it is not shown
        return "contains a user name: set it as a header instead (env_http_headers)"
    if "?" in url or "#" in url:  # may include a key
        return "has a query or a fragment: put it in query_params"
    if not complete:
        return f"{url!r} must begin with http:// or https:// and a host"
    if not url.isprintable() or " " in url:
        return f"{url!r} contains spaces or control characters"
    return None
