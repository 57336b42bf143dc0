"""How the record of a session becomes the updates of a loaded one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.acp.capabilities import NOTHING_DECLARED, ClientCapabilities
from code_core.acp.replay import ReplayTranslator
from support.acp_clients import EVERYTHING
from support.acp_schema import check
from support.json_values import JSON

CWD = Path("/w")


def replayed(*items: dict[str, Any], client: ClientCapabilities = NOTHING_DECLARED) -> list[dict[str, Any]]:
    translator = ReplayTranslator(CWD, client)
    shown = [update for item in items for update in translator.item(item)]
    shown += [*translator.compacted("s"), *translator.end()]
    for update in shown:
        check("SessionUpdate", update)
    return shown


def call(name: str, arguments: Any, call_id: str = "c") -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": call_id}


def output(text: Any, call_id: str = "c") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_calls_without_a_result_are_shown_as_failed() -> None:
    shown = replayed(call("shell", {"command": ["ls"]}), call("x__y", {"a": 1}, "d"), output("done", "d"))
    assert [(one.get("toolCallId"), one.get("status")) for one in shown if "toolCallId" in one] == [
        ("c", "in_progress"), ("d", "in_progress"), ("d", "completed"), ("c", "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize("client", [NOTHING_DECLARED, EVERYTHING], ids=["bare", "editor"])
@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (3, "failed")])
def test_a_command_is_shown_with_its_exit(client: ClientCapabilities, code: int, status: str) -> None:
    result = json.dumps({"output": "hi\n", "metadata": {"exit_code": code, "duration_seconds": 0.1}})
    begun, ended, *_ = replayed(
        call("shell", {"command": ["ls"], "workdir": "sub"}), output(result), client=client
    )
    assert begun["rawInput"]["cwd"] == "/w/sub"
    assert ended["status"] == status
    assert "hi" in str(ended)
    assert ("terminal_exit" in str(ended)) == client.terminal_output


HEAD = "Wall time: 0.1 seconds\n"


@pytest.mark.parametrize("client", [NOTHING_DECLARED, EVERYTHING], ids=["bare", "editor"])
@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"{HEAD}Process exited with code 0\nOutput:\nhi\n", "completed"),
        (f"{HEAD}Process exited with code 3\nOutput:\nhi\n", "failed"),
        (f"{HEAD}Process running with session ID 1\nOutput:\nhi\n", "completed"),
        (f"Chunk ID: 1a\n{HEAD}Process exited with code 1\nOriginal token count: 2\nOutput:\nhi", "failed"),
        (f"Exit code: 1\n{HEAD}Output:\nhi", "failed"),
        (f"Exit code: 0\n{HEAD}Total output lines: 9\nOutput:\nhi", "completed"),
    ],
)
def test_a_script_is_shown_as_a_command_with_its_exit(
    client: ClientCapabilities, text: str, status: str
) -> None:
    begun, ended, *_ = replayed(
        call("exec_command", {"cmd": "ls | wc", "workdir": "sub"}), output(text), client=client
    )
    assert (begun["title"], begun["kind"], begun["rawInput"]["cwd"]) == ("`ls | wc`", "execute", "/w/sub")
    assert ended["status"] == status
    assert "hi" in str(ended)
    assert "Wall time" not in str(ended)
    assert ("terminal_exit" in str(ended)) == client.terminal_output


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (output("no such file") | {"success": False}, "failed"),
        (output("fine") | {"success": True}, "completed"),
        (output("of an earlier version"), "completed"),
        (output({"content": "Codex 2025", "success": False}), "failed"),
        (output({"content": "Codex 2025", "success": True}), "completed"),
        ({"type": "custom_tool_call_output", "call_id": "c", "output": "no", "success": False}, "failed"),
    ],
)
def test_a_call_that_failed_without_an_exit_code_is_shown_as_failed(
    item: dict[str, Any], status: str
) -> None:
    _, ended, *_ = replayed(call("view_image", {"path": "a"}), item)
    assert ended["status"] == status


@given(item=st.dictionaries(
    st.sampled_from("type role content summary call_id name arguments input output action item_id".split()),
    JSON | st.sampled_from(
        "message reasoning function_call custom_tool_call local_shell_call web_search_call function_call_output "
        "user assistant shell apply_patch update_plan".split()
    ),
))  # fmt: skip
def test_a_damaged_item_does_not_break_a_replay(item: dict[str, Any]) -> None:
    for client in (NOTHING_DECLARED, EVERYTHING):
        replayed(item, client=client)
