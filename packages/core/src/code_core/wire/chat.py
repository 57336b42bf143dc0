"""Converts prompts to Chat Completions request bodies.

Source: the OpenAI API reference, "Create chat completion", as of October 2025. No IO: the
caller sends the bytes.
"""

from typing import Any

from code_core.wire.chat_messages import chat_messages
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, ToolSpec, WebSearchSpec

OPTIONAL = ("stream_options", "parallel_tool_calls", "reasoning_effort", "reasoning", "verbosity")
"""Fields that a server may reject and that a request can omit."""


def request_body(prompt: Prompt, origin: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the JSON body of `POST /chat/completions`.

    Args:
        prompt: the request.
        origin: the provider; see `Reasoning`.
        without: fields of `OPTIONAL` that the server has rejected.
    """
    settings, quirks = prompt.settings, prompt.settings.chat
    tools = [_declaration(spec) for spec in prompt.tools] if settings.tools else []
    declared = [tool for tool in tools if tool is not None]
    system = {"role": quirks.system_role, "content": prompt.instructions}
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [system, *chat_messages(prompt.input, quirks, origin, images=settings.images)],
        "stream": True,
        "stream_options": {"include_usage": True} if quirks.stream_usage else None,
        "tools": declared or None,
        "tool_choice": "auto" if declared else None,
        "parallel_tool_calls": settings.parallel_tool_calls if declared else None,
        quirks.max_tokens_field: settings.max_output,
        "response_format": _response_format(prompt),
        "verbosity": None if settings.verbosity is None else settings.verbosity.value,
        **_effort(settings),
    }
    body = {name: value for name, value in body.items() if value is not None and name not in without}
    return body | dict(settings.extra_body)


def _declaration(spec: ToolSpec) -> dict[str, Any] | None:
    match spec:
        case FunctionSpec(name=name, description=description, parameters=parameters):
            function = {"name": name, "description": description, "parameters": parameters}
            return {"type": "function", "function": function}
        case FreeformSpec():  # servers reject unknown types of tools
            return _declaration(spec.as_function())
        case WebSearchSpec():
            return None


def _response_format(prompt: Prompt) -> dict[str, Any] | None:
    if prompt.output_schema is None:
        return None
    schema = {"name": "code_output_schema", "strict": True, "schema": prompt.output_schema}
    return {"type": "json_schema", "json_schema": schema}


def _effort(settings: ModelSettings) -> dict[str, Any]:
    if not settings.reasoning or settings.effort is None:
        return {}
    match settings.chat.effort_field:
        case "reasoning_effort":
            return {"reasoning_effort": settings.effort.value}
        case "reasoning":
            return {"reasoning": {"effort": settings.effort.value}}
        case "none":
            return {}
