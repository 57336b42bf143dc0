"""The answer to `initialize`. It needs no settings, key, network or home, and imports next to nothing."""

from typing import Any

from code_core.version import VERSION

PROTOCOL_VERSION = 1
API_KEY_METHOD = "api-key"

AUTH_METHODS: list[dict[str, Any]] = [
    {
        "id": API_KEY_METHOD,
        "name": "API key in the environment",
        "description": "Set the variable that the model provider's settings name (OPENAI_API_KEY for OpenAI) "
        "where the editor starts this agent.",
    }
]

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


def initialize_result() -> dict[str, Any]:
    """What the agent is and can do; the same for every client, whatever version it asks for."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "code", "title": "Code for Python", "version": VERSION},
        "agentCapabilities": CAPABILITIES,
        "authMethods": AUTH_METHODS,
    }
