"""The tools that the conformance suite asks servers for, behind our own entry: `python -m mcp_server.conformance_server`.

Prints its URL. This tests how our tools reach a client over HTTP, in both eras; the tools themselves are the suite's.
"""

import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from code_mcp_server.dialogue import Caller, TaskMethod, Tools
from code_mcp_server.http import http_app, serve
from code_mcp_server.jsonrpc import Code, Notification, RpcError
from code_mcp_server.loading import Loading
from code_mcp_server.sdk import sdk_server

MISSING_CAPABILITY = -32021
STRING = {"type": "string"}
THREE = ("option1", "option2", "option3")


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}], **more}


def form(message: str, **properties: Any) -> dict[str, Any]:
    return {"message": message, "requestedSchema": schema(**properties)}


def titled(*names: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": name} for number, name in enumerate(names, 1)]


DEFAULTS = form(
    "Check the defaults",
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS = form(
    "Choose",
    untitledSingle={"type": "string", "enum": THREE},
    titledSingle={"type": "string", "oneOf": titled("First", "Second", "Third")},
    legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": THREE}},
    titledMulti={"type": "array", "items": {"anyOf": titled("First", "Second", "Third")}},
)
NAME = {"user_name": {"method": "elicitation/create", "params": form("What is your name?", name=STRING)}}
OTHERS = {
    "greeting": {
        "method": "sampling/createMessage",
        "params": {
            "messages": [{"role": "user", "content": {"type": "text", "text": "Generate a greeting"}}],
            "maxTokens": 50,
        },
    },
    "client_roots": {"method": "roots/list", "params": {}},
}


def question(key: str, message: str, **properties: Any) -> dict[str, Any]:
    return {key: {"method": "elicitation/create", "params": form(message, **properties)}}


ROUNDS: dict[str, list[dict[str, Any]]] = {
    "test_input_required_result_elicitation": [NAME],
    "test_input_required_result_request_state": [
        question("confirm", "Please confirm", ok={"type": "boolean"})
    ],
    "test_input_required_result_tampered_state": [
        question("confirm", "Please confirm", ok={"type": "boolean"})
    ],
    "test_input_required_result_multiple_inputs": [{**NAME, **OTHERS}],
    "test_input_required_result_multi_round": [
        question("step1", "Step 1: What is your name?", name=STRING),
        question("step2", "Step 2: What is your favorite color?", color=STRING),
    ],
    "test_input_required_result_capabilities": [{**NAME, **OTHERS}],
}
NAMES = (
    *("test_simple_text", "test_error_handling", "test_tool_with_progress", "test_elicitation"),
    *("test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums", "test_missing_capability"),
    *ROUNDS,
)


@dataclass
class SuiteTools:
    """See `Tools`."""

    states: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def list_tools(self, caller: Caller) -> dict[str, Any]:
        del caller
        return {"tools": [{"name": name, "description": name, "inputSchema": schema()} for name in NAMES]}

    async def call_tool(self, caller: Caller, params: Mapping[str, Any]) -> dict[str, Any]:
        match params["name"]:
            case "test_simple_text":
                return text("This is a simple text response for testing.")
            case "test_error_handling":
                return text("This tool intentionally returns an error for testing", isError=True)
            case "test_tool_with_progress":
                for progress in (0, 50, 100):
                    if caller.progress_token is not None:
                        report = {"progressToken": caller.progress_token, "progress": progress, "total": 100}
                        await caller.peer.notify("notifications/progress", report)
                    await anyio.sleep(0.05)
                return text("done")
            case "test_elicitation":
                asked = form(params["arguments"]["message"], username=STRING, email=STRING)
                return text(f"User response: {await caller.peer.ask('elicitation/create', asked)}")
            case "test_elicitation_sep1034_defaults":
                return text(f"Elicitation completed: {await caller.peer.ask('elicitation/create', DEFAULTS)}")
            case "test_elicitation_sep1330_enums":
                return text(f"Elicitation completed: {await caller.peer.ask('elicitation/create', ENUMS)}")
            case "test_missing_capability":
                needed: dict[str, object] = {"requiredCapabilities": {"sampling": {}}}
                raise RpcError(MISSING_CAPABILITY, "this tool needs sampling", needed)
            case str(name) if name in ROUNDS:
                return self.round(name, caller, params)
            case name:
                return text(f"unknown tool: {name}", isError=True)

    def round(self, name: str, caller: Caller, params: Mapping[str, Any]) -> dict[str, Any]:
        state, answers = params.get("requestState"), params.get("inputResponses") or {}
        stateless = name == "test_input_required_result_elicitation"
        number = 0
        if state is not None:
            owner, number = self.states.get(state, ("", 0))
            if owner != name:
                raise RpcError(Code.INVALID_PARAMS, "invalid requestState")
        asked = ROUNDS[name][number]
        if name == "test_input_required_result_capabilities" and not caller.abilities.elicits:
            asked = {"greeting": OTHERS["greeting"]}
        if not all(isinstance(answers.get(key), dict) and answers[key] for key in asked):
            return self.asking(name, number, asked, stateless=stateless)
        if number + 1 < len(ROUNDS[name]):
            return self.asking(name, number + 1, ROUNDS[name][number + 1], stateless=stateless)
        if stateless and not isinstance(answers["user_name"].get("content", {}).get("name"), str):
            return self.asking(name, number, asked, stateless=stateless)
        return text(f"Hello, {answers['user_name']['content']['name']}!" if stateless else "state-ok")

    def asking(self, name: str, number: int, asked: dict[str, Any], *, stateless: bool) -> dict[str, Any]:
        result: dict[str, Any] = {"resultType": "input_required", "inputRequests": asked}
        if not stateless:
            state = secrets.token_urlsafe(16)
            self.states[state] = (name, number)
            result["requestState"] = state
        return result

    async def task(self, caller: Caller, method: TaskMethod, params: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    async def notice(self, notification: Notification) -> None:
        """Do nothing."""


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tools: Loading[Tools] = Loading()
        tools.set(SuiteTools())
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        await serve(http_app(sdk_server(tools)), listener)


if __name__ == "__main__":
    anyio.run(main)
