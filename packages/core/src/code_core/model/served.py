"""Asks a provider's server which models it has and how large their context windows are."""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio

from code_core.model.errors import HttpError
from code_core.model.network import http_client
from code_core.model.providers import Provider
from code_core.model.refusals import Answer
from code_core.wire.errors import InvalidUrlError
from code_core.wire.failures import error_object, excerpt

if TYPE_CHECKING:
    from code_core.model.http_client import HttpClient

_log = logging.getLogger("code_core")

SECONDS = 2.0
"""Time limit for a query, because the answer is optional."""
MOST_BYTES = 4 * 2**20
MOST_NAMES = 12


def names_a_model(answer: Answer) -> bool:
    """Whether `answer` rejects a request because of the requested model."""
    if answer.status not in {400, 404}:
        return False
    error = error_object(answer.body)
    words = f"{error.get('code')} {error.get('type')} {error.get('message') or answer.body}".lower()
    return "model" in words and any(
        sign in words
        for sign in ("not found", "not_found", "not exist", "not loaded", "no models", "invalid model")
    )


async def served_models(http: "HttpClient", provider: Provider, headers: Mapping[bytes, bytes]) -> list[str]:
    """Return the names of some of the provider's models; empty if it does not list them."""
    listed = await _get(http, f"{provider.base_url.rstrip('/')}/models", headers)
    entries = listed.get("data")
    names = [
        excerpt(entry["id"], 80)
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]
    shown = sorted(set(names))
    return shown if len(shown) <= MOST_NAMES else [*shown[:MOST_NAMES], f"and {len(shown) - MOST_NAMES} more"]


async def served_window(provider: Provider, model: str, environ: Mapping[str, str]) -> int | None:
    """Return the window of `model` in tokens, as loaded by a local server, or None if not known within 2 seconds."""
    if provider.server is None or not provider.is_loopback:
        return None
    root = provider.base_url.rstrip("/").removesuffix("/v1")
    try:
        async with await http_client(root, environ, SECONDS) as http:
            match provider.server:
                case "ollama":
                    return _of_ollama(await _get(http, f"{root}/api/ps", {}), model)
                case "lmstudio":
                    listed = await _get(http, f"{root}/api/v0/models", {})
                    return _listed(listed, model, "loaded_context_length")
                case "vllm":
                    return _listed(await _get(http, f"{root}/v1/models", {}), model, "max_model_len")
                case "llamacpp":
                    settings = (await _get(http, f"{root}/props", {})).get("default_generation_settings")
                    return _size(settings.get("n_ctx")) if isinstance(settings, dict) else None
    except OSError as error:  # the certificates cannot be read
        _log.debug("asking for the window: %s", type(error).__name__)
    return None


def _listed(listed: dict[str, Any], model: str, field: str) -> int | None:
    """`field` of the entry for `model` in a list of models, or of the only entry."""
    data = listed.get("data")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    own = [entry for entry in entries if entry.get("id") == model] or (entries if len(entries) == 1 else [])
    return _size(own[0].get(field)) if own else None


def _of_ollama(running: dict[str, Any], model: str) -> int | None:
    """The context length of `model` as loaded by Ollama, which truncates longer prompts."""
    models = running.get("models")
    for entry in models if isinstance(models, list) else ():
        if isinstance(entry, dict) and model in {entry.get("name"), entry.get("model")}:
            return _size(entry.get("context_length"))
    return None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


async def _get(http: "HttpClient", url: str, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return the JSON object at `url`, or an empty one if the answer is anything else."""
    body = bytearray()
    try:
        with anyio.fail_after(SECONDS):
            async with http.get(url, headers) as response:
                if response.status != 200:
                    return {}
                async for chunk in response.chunks():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return {}
        value = json.loads(body)
    except (HttpError, InvalidUrlError, TimeoutError, ValueError, RecursionError) as error:
        _log.debug("asking for models: %s", type(error).__name__)
        return {}
    return value if isinstance(value, dict) else {}
