"""The published schema of the Agent Client Protocol, from the npm package of its SDK."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # no stubs

from support.npm import npm_programs

SDK = "@agentclientprotocol/sdk@2.4.0"
RESULTS = {
    "initialize": "InitializeResponse",
    "authenticate": "AuthenticateResponse",
    "logout": "LogoutResponse",
    "session/new": "NewSessionResponse",
    "session/load": "LoadSessionResponse",
    "session/resume": "ResumeSessionResponse",
    "session/list": "ListSessionsResponse",
    "session/close": "CloseSessionResponse",
    "session/delete": "DeleteSessionResponse",
    "session/prompt": "PromptResponse",
    "session/set_mode": "SetSessionModeResponse",
    "session/set_config_option": "SetSessionConfigOptionResponse",
}
REQUESTS = {
    "session/request_permission": "RequestPermissionRequest",
    "fs/read_text_file": "ReadTextFileRequest",
    "fs/write_text_file": "WriteTextFileRequest",
    "elicitation/create": "CreateElicitationRequest",
    "elicitation/complete": "CompleteElicitationNotification",
    "session/update": "SessionNotification",
    "$/cancel_request": "CancelRequestNotification",
}


def schema_file(name: str = "schema.unstable.json") -> Path:
    """A file of the schema; skips the test if npm cannot provide it."""
    return npm_programs(SDK).parent / "@agentclientprotocol" / "sdk" / "schema" / "v1" / name


@cache
def definitions() -> dict[str, Any] | None:
    """The definitions of version 1, with what became stable after the SDK; None without npm."""
    if shutil.which("npm") is None:
        return None
    try:
        loaded: dict[str, Any] = json.loads(schema_file().read_text())
    except pytest.skip.Exception:
        return None
    return loaded


def check(name: str, value: object) -> None:
    """Fail if `value` does not match the definition `name` in the schema."""
    if (schema := definitions()) is not None:
        _validator(name).validate(value)
        assert name in schema["$defs"]


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = definitions()
    assert schema is not None
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


def check_frame(message: dict[str, Any]) -> None:
    """Fail if a message of the agent is not JSON-RPC, or its parameters do not match the schema."""
    assert message["jsonrpc"] == "2.0"
    match message:
        case {"method": method, "params": params}:
            check(REQUESTS[method], params)
            assert set(message) <= {"jsonrpc", "id", "method", "params"}
        case {"error": error}:
            check("Error", error)
            assert set(message) == {"jsonrpc", "id", "error"}
        case _:
            assert set(message) == {"jsonrpc", "id", "result"}
