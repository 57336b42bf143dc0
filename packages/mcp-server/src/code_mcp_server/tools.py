"""The tool declarations for clients."""

from functools import cache
from typing import Any

from code_mcp_server.arguments import (
    CancelArguments,
    CodexArguments,
    CodexReplyArguments,
    NewSessionArguments,
    PromptArguments,
    SetModelArguments,
    ToolArguments,
)

_ACTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
_STARTS = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False, "openWorldHint": False}

Tool = dict[str, Any]
"""A tool in the form of `tools/list`."""


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_STRING = {"type": "string"}
_ANSWER = _object(conversationId=_STRING, threadId=_STRING, content=_STRING)


def _tool(
    name: str,
    title: str,
    description: str,
    arguments: type[ToolArguments],
    output: dict[str, Any],
    annotations: dict[str, bool],
) -> Tool:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": arguments.model_json_schema(by_alias=True),
        "outputSchema": output,
        "annotations": annotations,
    }


@cache
def codex_tools() -> list[Tool]:
    """Return the tools for any client."""
    return [
        _tool(
            "codex",
            "Code",
            "Start a conversation with the coding agent and run it until the task is done.",
            CodexArguments,
            _ANSWER,
            _ACTS,
        ),
        _tool(
            "codex-reply",
            "Code: continue",
            "Continue a conversation that `codex` started.",
            CodexReplyArguments,
            _ANSWER,
            _ACTS,
        ),
    ]


@cache
def session_tools() -> list[Tool]:
    """Return the tools named after Agent Client Protocol methods."""
    return [
        _tool(
            "session/new",
            "New session",
            "Start a session of the coding agent.",
            NewSessionArguments,
            _object(
                sessionId=_STRING,
                modes={"type": "object"},
                configOptions={"type": "array", "items": {"type": "object"}},
                models={"type": "object"},
            ),
            _STARTS,
        ),
        _tool(
            "session/prompt",
            "Prompt",
            "Send a session its next prompt; session/update notifications report the progress.",
            PromptArguments,
            _object(stopReason=_STRING),
            _ACTS,
        ),
        _tool(
            "session/cancel",
            "Cancel",
            "Stop the running prompt of a session.",
            CancelArguments,
            {"type": "object"},
            _STARTS,
        ),
        _tool(
            "session/set_model",
            "Set model",
            "Choose the model for the next prompts of a session.",
            SetModelArguments,
            {"type": "object"},
            _STARTS,
        ),
    ]
