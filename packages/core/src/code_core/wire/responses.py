"""Converts prompts to Responses API request bodies.

Source: the OpenAI API reference, "Responses" and "Responses streaming", as of
October 2025. No IO: the caller sends the bytes.
"""

import json
from typing import Any

from code_core.protocol.items import CustomToolCall, CustomToolCallOutput, Reasoning, ResponseItem
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, ToolSpec, WebSearchSpec

_OURS = {"origin", "chat_field", "chat_details"}
"""Our own item fields, which the API does not know."""


def request_body(prompt: Prompt, origin: str = "", *, store: bool = False) -> dict[str, Any]:
    """Return the JSON body of `POST /responses`.

    Args:
        prompt: the request.
        origin: the provider; reasoning from others is omitted (see `Reasoning`).
        store: for endpoints that store responses (Azure); item ids are sent back only there.
    """
    settings = prompt.settings
    reasoning = _reasoning(settings)
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": prompt.instructions,
        "input": [
            _item(item, store=store, freeform=settings.freeform_tools)
            for item in prompt.input
            if not isinstance(item, Reasoning) or item.origin in {None, origin}
        ],
        "tools": _declared(prompt) or None,
        "tool_choice": "auto",
        "parallel_tool_calls": settings.parallel_tool_calls,
        "reasoning": reasoning,
        "store": store,
        "stream": True,
        "include": ["reasoning.encrypted_content"] if reasoning else [],
        "prompt_cache_key": prompt.conversation_id,
        "text": _text(prompt),
        "max_output_tokens": settings.max_output,
    }
    body = {key: value for key, value in body.items() if value is not None}
    return body | dict(settings.extra_body)


def _item(item: ResponseItem, *, store: bool, freeform: bool) -> dict[str, Any]:
    """`item` in the API's form; a freeform call becomes a function call if the model has no freeform tools."""
    match item:
        case CustomToolCall(name=name, input=text, call_id=call_id) if not freeform:
            arguments = json.dumps({"input": text}, ensure_ascii=False)
            return {"type": "function_call", "name": name, "arguments": arguments, "call_id": call_id}
        case CustomToolCallOutput(call_id=call_id, output=output) if not freeform:
            return {"type": "function_call_output", "call_id": call_id, "output": output}
        case _:
            return item.model_dump(mode="json", exclude=_OURS if store else _OURS | {"id"}, exclude_none=True)


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
    # The API rejects hosted search combined with minimal effort.
    without_search = settings.effort is ReasoningEffort.MINIMAL
    return [
        _declaration(spec, freeform=settings.freeform_tools)
        for spec in (prompt.tools if settings.tools else ())
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
