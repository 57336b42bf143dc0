"""The answer to `initialize`, which needs no settings, key, network or home, and imports almost nothing."""

import os
import sys
from typing import Any

from code_core.version import VERSION

PROTOCOL_VERSION = 1
API_KEY_METHOD = "api-key"
LOGIN_METHOD = "login"

API_KEY: dict[str, Any] = {
    "id": API_KEY_METHOD,
    "name": "API key",
    "description": "Run `code login`, or set the variable that the model provider's settings name "
    "(OPENAI_API_KEY for OpenAI) where the editor starts this agent.",
}
LOGIN: dict[str, Any] = {
    "type": "terminal",
    "id": LOGIN_METHOD,
    "name": "Enter an API key",
    "description": "Asks for the model provider's API key in a terminal, and saves it so that only you can read it.",
    "args": ["login"],
}
"""For clients that run the agent's command in a terminal; they append these arguments or replace its own."""

HOMES = ("CODE_HOME", "CODEX_HOME")
"""These determine where the key is saved; a terminal of the editor may not have them."""

CAPABILITIES: dict[str, Any] = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": False},
    "sessionCapabilities": {
        "list": {},
        "resume": {},
        "close": {},
        "delete": {},
        "additionalDirectories": {},
        "systemPrompt": {"mode": {"override": {}}},
    },
    "auth": {"logout": {}},
}


def initialize_result(params: dict[str, Any]) -> dict[str, Any]:
    """Return the agent's identity and capabilities, whatever version the client requests.

    Args:
        params: the request's parameters; a client that declares terminal login is offered it.
    """
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "code", "title": "Code for Python", "version": VERSION},
        "agentCapabilities": CAPABILITIES,
        "authMethods": [API_KEY, *_terminal_login(params.get("clientCapabilities"))],
    }


def _terminal_login(declared: object) -> list[dict[str, Any]]:
    """Return the terminal login in the form that the client supports, if any.

    Clients that are older than its standard form get the whole command.
    """
    match declared:
        case {"auth": {"terminal": True}}:
            return [LOGIN]
        case {"_meta": {"terminal-auth": True}}:
            command = {
                "label": LOGIN["name"],
                "command": os.path.abspath(sys.argv[0]),  # noqa: PTH100 - a string, without importing pathlib
                "args": [*sys.argv[1:], *LOGIN["args"]],
                "env": {name: os.environ[name] for name in HOMES if name in os.environ},
            }
            return [{**LOGIN, "_meta": {"terminal-auth": command}}]
        case _:
            return []
