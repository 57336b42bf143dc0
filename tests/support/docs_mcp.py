"""The capability tables of the MCP pages, from the code."""

import importlib
from collections.abc import Iterator
from inspect import getdoc, signature
from typing import Any

from code_mcp_client.client import McpClient
from code_mcp_server.dialogue import CAPABILITIES, discovered
from code_mcp_server.eras import HANDSHAKE_VERSIONS, MODERN_VERSIONS
from code_mcp_server.tools import codex_tools, session_tools

Rows = Iterator[list[str]]


def server_tools() -> Rows:
    """The tools, their arguments (required ones with a star) and the fields of their results."""
    for tool in (*codex_tools(), *session_tools()):
        schema, output = tool["inputSchema"], tool["outputSchema"]
        required = schema.get("required", [])
        arguments = ", ".join(f"`{name}`{'*' if name in required else ''}" for name in schema["properties"])
        results = ", ".join(f"`{name}`" for name in output.get("properties", {})) or "nothing"
        yield [f"`{tool['name']}`", tool["description"], arguments, results]


def server_capabilities() -> Rows:
    """What the server declares in each era."""
    modern = discovered()["capabilities"]
    yield ["protocol versions", ", ".join(HANDSHAKE_VERSIONS), ", ".join(MODERN_VERSIONS)]
    for name in sorted({*CAPABILITIES, *modern}):
        yield [f"`{name}`", *(_declared(one.get(name)) for one in (CAPABILITIES, modern))]


def client_methods() -> Rows:
    """The methods of a client."""
    for name, method in vars(McpClient).items():
        if name.startswith("_") or not callable(method):
            continue
        text = (getdoc(method) or "").partition("\n")[0]
        names = [one for one in signature(method).parameters if one != "self"]
        yield [f"`{name}({', '.join(names)})`", text]


def conformance() -> Rows:
    """How many scenarios of the conformance suite the tests run."""
    for role, module in (
        ("client", "mcp_client.test_conformance"),
        ("server", "mcp_server.test_conformance"),
    ):
        scenarios: dict[str, Any] = importlib.import_module(module).SCENARIOS
        for revision, names in scenarios.items():
            yield [role, revision, str(len(names)), ", ".join(f"`{name}`" for name in names)]


def _declared(value: object) -> str:
    if value is None:
        return ""
    members = value if isinstance(value, dict) else {}
    return ", ".join(f"`{name}`" for name in members) or "yes"
