"""The agent's coverage of the protocol: the table in the docs, compared with the newest schema and the code."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import code_core.acp
import code_mcp_server.acp
from code_core.acp.capabilities import DECLARED
from code_mcp_server.acp.agent import METHODS
from code_mcp_server.acp.initialize import API_KEY, CAPABILITIES, LOGIN
from mcp_client.http_server import http_server
from mcp_server.acp.conftest import Replay
from mcp_server.acp.test_turns import FULL, shell, text_reply
from support import acp_schema
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient
from support.acp_coverage import COVERAGE, Missing, Supported
from support.command import Workspace

TESTS = Path(__file__).parents[2]
_EITHER_WAY = "$/cancel_request"
_TO_THE_AGENT = {"session/cancel", _EITHER_WAY}
"""Notifications, which have no entry in the table of methods."""


def schema() -> Mapping[str, Any]:
    found = acp_schema.definitions()
    if found is None:
        pytest.skip("npm is missing: the schema of the Agent Client Protocol is not compared")
    definitions: Mapping[str, Any] = found["$defs"]
    return definitions


def methods(side: str) -> set[str]:
    found = {
        (one["x-side"], one["x-method"])
        for one in schema().values()
        if isinstance(one, dict) and "x-method" in one
    }
    sides = {side, "protocol"} if side == "agent" else {side}
    return {method for of, method in found if of in sides}


def constants(name: str, key: str = "") -> set[str]:
    """The values that the branches of a definition, or their property `key`, may have."""
    definition = schema()[name]
    branches = definition.get("oneOf") or definition["anyOf"]
    values = {
        one["properties"][key]["const"] if key in one.get("properties", {}) else one.get("const")
        for one in branches
    }
    return {one for one in values if one is not None}


def declared(name: str) -> set[str]:
    """The capabilities in a definition; those of its objects are dotted."""
    return set(_paths(schema()[name], ""))


def _paths(definition: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, one in definition.get("properties", {}).items():
        if name == "_meta":
            continue
        references = [part["$ref"] for part in one.get("allOf", one.get("anyOf", [])) if "$ref" in part]
        inner = schema()[references[0].rpartition("/")[2]] if references else {}
        names = set(inner.get("properties", {})) - {"_meta"}
        if names and not prefix:
            yield from _paths(inner, f"{name}.")
        else:
            yield prefix + name


def supported(section: str) -> set[str]:
    return {name for name, one in COVERAGE[section].items() if isinstance(one, Supported)}


def test_the_table_has_every_name_of_the_schema() -> None:
    proxies = {one for one in methods("agent") if one.startswith("proxy/")}
    assert set(COVERAGE["methods of the agent"]) == methods("agent") - proxies
    assert set(COVERAGE["methods of the client"]) == methods("client")
    assert set(COVERAGE["updates"]) == constants("SessionUpdate", "sessionUpdate")
    assert set(COVERAGE["content of a prompt"]) == constants("ContentBlock", "type")
    assert set(COVERAGE["content of a tool call"]) == constants("ToolCallContent", "type")
    assert set(COVERAGE["kinds of tool calls"]) == constants("ToolKind")
    assert set(COVERAGE["states of tool calls"]) == constants("ToolCallStatus")
    assert set(COVERAGE["answers to a permission"]) == constants("PermissionOptionKind")
    assert set(COVERAGE["stop reasons"]) == constants("StopReason")
    assert set(COVERAGE["options"]) == constants("SessionConfigOption", "type")
    assert set(COVERAGE["capabilities of the client"]) == declared("ClientCapabilities")
    assert set(COVERAGE["capabilities of the agent"]) == declared("AgentCapabilities")
    assert set(COVERAGE["authentication methods"]) == constants("AuthMethod", "type") | {"agent"}


def test_the_supported_names_in_the_table_match_the_code() -> None:
    assert supported("methods of the agent") - _TO_THE_AGENT == set(METHODS) - {"session/set_model"}
    assert supported("methods of the client") == set(acp_schema.REQUESTS) - {_EITHER_WAY}
    assert supported("updates") == _texts_in_the_code() & set(COVERAGE["updates"])
    ours = {".".join(path) for path in DECLARED.values() if path[0] != "_meta"}
    assert supported("capabilities of the client") == ours | {"auth.terminal"}
    assert supported("capabilities of the agent") == set(_true(CAPABILITIES))
    assert supported("authentication methods") == {one.get("type", "agent") for one in (API_KEY, LOGIN)}


def _true(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, one in values.items():
        if isinstance(one, dict) and one and not prefix:
            yield from _true(one, f"{name}.")
        elif one is not False:
            yield prefix + name


def _texts_in_the_code() -> set[str]:
    sources = [
        path
        for package in (code_core.acp, code_mcp_server.acp)
        for path in Path(str(package.__file__)).parent.glob("*.py")
    ]
    nodes = (node for path in sources for node in ast.walk(ast.parse(path.read_text())))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize(
    "support", dict.fromkeys(one for section in COVERAGE.values() for one in section.values()), ids=repr
)
def test_each_entry_names_a_test_or_a_reason(support: Supported | Missing) -> None:
    match support:
        case Supported(test=test):
            file, _, function = test.partition("::")
            assert re.search(rf"^def {function}\(", (TESTS / file).read_text(), re.MULTILINE), test
        case Missing(why=why):
            assert why


@pytest.mark.parametrize(
    ("limits", "responses", "reason"),
    [
        ((), [text_reply("Done.")], "end_turn"),
        ((), [[sse.message("Do"), sse.incomplete("max_output_tokens")]], "max_tokens"),
        (
            ("-c", "limits.max_tool_calls=1"),
            [shell("true"), shell("true", call_id="c2")],
            "max_turn_requests",
        ),
    ],
)
def test_a_prompt_ends_with_the_reason_of_its_end(
    workspace: Workspace,
    replay: Replay,
    limits: tuple[str, ...],
    responses: list[list[sse.Event]],
    reason: str,
) -> None:
    replay(*responses)
    with AcpClient(workspace, *FULL, *limits) as client:
        assert client.prompt(client.new_session()) == reason


@pytest.mark.parametrize(("command", "kind"), [("cat a", "read"), ("ls", "search"), ("touch b", "execute")])
def test_a_read_only_command_has_the_matching_kind(
    workspace: Workspace, replay: Replay, command: str, kind: str
) -> None:
    (workspace.directory / "a").touch()
    replay(shell("bash", "-c", command), text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        client.prompt(client.new_session())
        assert [call["kind"] for call in client.of_kind("tool_call")] == [kind]


def test_a_server_over_http_is_used(workspace: Workspace, replay: Replay) -> None:
    replay(text_reply("Done."))
    with http_server() as script, AcpClient(workspace, *FULL) as client:
        server = {"type": "http", "name": "web", "url": script.url}
        headers = [{"name": "X-Team", "value": "blue"}]
        assert client.prompt(client.new_session(mcpServers=[{**server, "headers": headers}])) == "end_turn"
        assert {method for method, _ in script.seen} >= {"initialize", "tools/list"}
        assert {headers["x-team"] for _, headers in script.seen} == {"blue"}
