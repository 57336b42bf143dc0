"""The answer to `initialize`, which needs no settings, key, network or home, and imports almost nothing."""

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
    """Return the agent's identity and capabilities, the same for every client and version."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "code", "title": "Code for Python", "version": VERSION},
        "agentCapabilities": CAPABILITIES,
        "authMethods": AUTH_METHODS,
    }
