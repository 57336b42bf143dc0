"""The Responses API: prompts to request bodies, server-sent events to response events.

Source: the OpenAI API reference, "Responses" and "Responses streaming", as of
October 2025. No IO: the caller moves the bytes.
"""

import json
import logging
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from code_core.protocol.policies import ReasoningEffort, ReasoningSummary
from code_core.protocol.text import repaired
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, ToolSpec, WebSearchSpec

_log = logging.getLogger("code_core")


def request_body(prompt: Prompt, *, store: bool = False) -> dict[str, Any]:
    """The JSON body of `POST /responses`.

    `store` is for endpoints that keep responses (Azure): only there are item ids sent back.
    """
    settings = prompt.settings
    excluded = None if store else {"id"}
    reasoning = _reasoning(settings)
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": prompt.instructions,
        "input": [item.model_dump(mode="json", exclude=excluded, exclude_none=True) for item in prompt.input],
        "tools": _declared(prompt),
        "tool_choice": "auto",
        "parallel_tool_calls": settings.parallel_tool_calls,
        "reasoning": reasoning,
        "store": store,
        "stream": True,
        "include": ["reasoning.encrypted_content"] if reasoning else [],
        "prompt_cache_key": prompt.conversation_id,
        "text": _text(prompt),
    }
    return {
        key: value for key, value in body.items() if value is not None and not (key == "tools" and not value)
    }


def request_json(prompt: Prompt, *, store: bool = False) -> bytes:
    """`request_body`, encoded; what is not Unicode in it is repaired."""
    body = request_body(prompt, store=store)
    try:
        return to_json(body)
    except PydanticSerializationError:
        return repaired(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()


def _reasoning(settings: ModelSettings) -> dict[str, str] | None:
    if not settings.reasoning:
        return None
    reasoning: dict[str, str] = {}
    if settings.effort is not None:
        reasoning["effort"] = settings.effort.value
    if settings.summary is not ReasoningSummary.NONE:
        reasoning["summary"] = settings.summary.value
    return reasoning or None


def _declared(prompt: Prompt) -> list[dict[str, Any]]:
    settings = prompt.settings
    # The API refuses hosted search together with minimal effort.
    without_search = settings.effort is ReasoningEffort.MINIMAL
    return [
        _declaration(spec, freeform=settings.freeform_tools)
        for spec in prompt.tools
        if not (without_search and isinstance(spec, WebSearchSpec))
    ]


def _declaration(spec: ToolSpec, *, freeform: bool) -> dict[str, Any]:
    match spec:
        case FreeformSpec() if not freeform:
            return _declaration(spec.as_function(), freeform=freeform)
        case FreeformSpec(name=name, description=description, grammar=grammar):
            form = {"type": "grammar", "syntax": "lark", "definition": grammar}
            return {"type": "custom", "name": name, "description": description, "format": form}
        case FunctionSpec(name=name, description=description, parameters=parameters):
            return {
                "type": "function",
                "name": name,
                "description": description,
                "strict": False,
                "parameters": parameters,
            }
        case WebSearchSpec(allowed_domains=domains):
            filters = {"filters": {"allowed_domains": list(domains)}} if domains else {}
            return {"type": "web_search", **filters}


def _text(prompt: Prompt) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if prompt.settings.verbosity is not None:
        text["verbosity"] = prompt.settings.verbosity.value
    if prompt.output_schema is not None:
        text["format"] = {
            "type": "json_schema",
            "name": "code_output_schema",
            "strict": True,
            "schema": prompt.output_schema,
        }
    return text or None
