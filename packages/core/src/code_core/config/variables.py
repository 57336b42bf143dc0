"""Settings from environment variables, as layers of the settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from code_core.config.layers import Layer, LayerKind, nested

# Variable, provider, key, and the form of the value. A later row takes precedence.
_PROVIDERS = (
    ("CODEX_OSS_PORT", "oss", "base_url", "http://localhost:{}/v1"),
    ("CODEX_OSS_BASE_URL", "oss", "base_url", "{}"),
    ("OPENAI_BASE_URL", "openai", "base_url", "{}"),
    ("OPENAI_WIRE_API", "openai", "wire_api", "{}"),
    ("AZURE_OPENAI_ENDPOINT", "azure", "base_url", "{}/openai/v1"),
)
_SCENARIO = "CODE_REPLAY"


def provider_layers(environ: Mapping[str, str]) -> Iterator[Layer]:
    """Yield what the environment says about built-in providers; every file takes precedence."""
    for variable, provider, key, form in _PROVIDERS:
        if value := environ.get(variable, "").strip().rstrip("/"):
            table = nested(("model_providers", provider, key), form.format(value))
            yield Layer(LayerKind.ENVIRONMENT, variable, table)


def scenario_layers(given: Path | None, environ: Mapping[str, str]) -> Iterator[Layer]:
    """Yield the scenario to replay: `given`, or else the one in the environment.

    It takes precedence over every provider: whoever sets one expects that no request is sent.
    """
    name = _SCENARIO if given is None else "the scenario"
    path = given or environ.get(_SCENARIO)
    if path:
        table = {"model_provider": "replay", "replay_scenario": str(Path(path).absolute())}
        yield Layer(LayerKind.REPLAY, name, table)
