"""Capabilities, modes, options, commands and the replay of a session: all pure."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.acp.capabilities import NOTHING_DECLARED, ClientCapabilities
from code_core.acp.commands import BUILT_IN, Show, available_commands, carried_out
from code_core.acp.elicitation import can_be_asked, elicitation_answer, elicitation_request
from code_core.acp.modes import PRESETS, mode_of, mode_state, modes_with
from code_core.acp.options import config_options, option_id
from code_core.acp.permissions import permission_decision, permission_request
from code_core.acp.replay import ReplayTranslator
from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
)
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    ErrorEvent,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    PatchApplyBegin,
    PlanUpdate,
    StreamError,
    TaskComplete,
    ToolCallFailed,
    TurnAborted,
    WarningEvent,
)
from code_core.protocol.file_changes import UpdateBody, UpdateChange
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import (
    Compact,
    CustomReview,
    ImageInput,
    Review,
    TextInput,
    UncommittedChanges,
    Undo,
)
from code_core.protocol.ops import UserInput as Input
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from code_core.protocol.session_events import ContextCompacted
from code_core.protocol.token_events import TokenCount, TokenUsage, TokenUsageInfo
from support.acp_schema import check

EVERYTHING = ClientCapabilities(
    read_files=True,
    write_files=True,
    terminal_output=True,
    notices=True,
    compaction=True,
    plans=True,
    forms=True,
)
CWD = Path("/w")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def updates(*events: EventMsg, client: ClientCapabilities = NOTHING_DECLARED) -> list[dict[str, Any]]:
    translator = UpdateTranslator(client)
    given_ = [update for event in events for update in translator.updates(event)]
    for update in given_:
        check("SessionUpdate", update)
    return given_


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, NOTHING_DECLARED),
        ({"clientCapabilities": None}, NOTHING_DECLARED),
        (
            {"clientCapabilities": {"fs": {"readTextFile": "yes"}, "_meta": {"terminal_output": 1}}},
            NOTHING_DECLARED,
        ),
        ({"clientCapabilities": {"elicitation": {}}}, NOTHING_DECLARED),
        ({"clientCapabilities": {"elicitation": {"form": {}}}}, ClientCapabilities(forms=True)),
        (
            {
                "clientCapabilities": {
                    "fs": {"readTextFile": True, "writeTextFile": True},
                    "session": {"notices": {}, "compaction": {"_meta": {}}},
                    "plan": {},
                    "elicitation": {"form": {}},
                    "_meta": {"terminal_output": True},
                }
            },
            EVERYTHING,
        ),
    ],
)
def test_a_malformed_declaration_does_not_count(
    declared: dict[str, Any], expected: ClientCapabilities
) -> None:
    assert ClientCapabilities.of(declared) == expected


@given(value=JSON)
def test_no_capabilities_break_it(value: Any) -> None:
    ClientCapabilities.of({"clientCapabilities": value})


@pytest.mark.parametrize("approval", [one.value for one in AskForApproval])
@pytest.mark.parametrize("sandbox", [one.value for one in SandboxMode])
def test_whatever_is_set_is_a_mode(approval: str, sandbox: str) -> None:
    modes = modes_with((approval, sandbox), ("on-request", "read-only"))
    current = mode_of(approval, sandbox, modes)
    assert current is not None
    assert (current.approval, current.sandbox) == (approval, sandbox)
    assert set(PRESETS) <= set(modes)
    assert len({one.id for one in modes}) == len(modes)
    check("SessionModeState", mode_state(current, modes))


def test_the_options_and_their_categories() -> None:
    options = config_options(PRESETS[2], PRESETS, "m", ["m", "n"], "high", reasoning=True)
    for option in options:
        check("SessionConfigOption", option)
        assert option["currentValue"] in [one["value"] for one in option["options"]]
    assert [option["id"] for option in options] == ["mode", "model", "reasoning_effort"]
    assert [one["id"] for one in config_options(PRESETS[0], PRESETS, "x", [], None, reasoning=False)] == [
        "mode",
        "model",
    ]
    assert {name: option_id(name) for name in ("mode", "model", "thought_level", "reasoning_effort", "x")} == {
        "mode": "mode", "model": "model", "thought_level": "reasoning_effort",
        "reasoning_effort": "reasoning_effort", "x": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/compact", Compact()),
        ("  /undo  ", Undo()),
        ("/review", Review(target=UncommittedChanges())),
        ("/review the\ntests", Review(target=CustomReview(instructions="the\ntests"))),
        ("/diff", Show("diff")),
        ("/status now", Show("status")),
        ("/usr/bin is full", Input(items=[TextInput(text="/usr/bin is full")])),
        ("/unheard of", Input(items=[TextInput(text="/unheard of")])),
        ("a /compact", Input(items=[TextInput(text="a /compact")])),
    ],
)
def test_what_a_prompt_does(text: str, expected: Any) -> None:
    assert carried_out([TextInput(text=text)]) == expected


def test_a_prompt_without_text_goes_to_the_model() -> None:
    items = [ImageInput(image_url="data:image/png;base64,")]
    assert carried_out(items) == Input(items=items)
    check("SessionUpdate", available_commands())
    assert all(isinstance(carried_out([TextInput(text=f"/{one.name}")]), object) for one in BUILT_IN)


@pytest.mark.parametrize("decision", ReviewDecision)
def test_every_decision_has_an_option(decision: ReviewDecision) -> None:
    request = ExecApprovalRequest(
        call_id="c", approval_id="a", command=["ls"], cwd=CWD, proposed_rule="r", rule_allows="Allows all."
    )
    asked = permission_request("s", request)
    check("RequestPermissionRequest", asked)
    chosen = [
        option["optionId"]
        for option in asked["options"]
        if permission_decision({"outcome": {"outcome": "selected", "optionId": option["optionId"]}})
        is decision
    ]
    assert chosen == [decision.value.replace("_", "-")]
    names = {option["optionId"]: option["name"] for option in asked["options"]}
    assert names["approved-prefix"] == "Allow always: Allows all."


@given(answer=JSON)
def test_no_other_answer_is_a_decision(answer: Any) -> None:
    assert permission_decision(answer) is None


def test_without_a_rule_nothing_is_allowed_always() -> None:
    request = ExecApprovalRequest(call_id="c", approval_id="a", command=["ls"], cwd=CWD)
    assert "approved-prefix" not in {one["optionId"] for one in permission_request("s", request)["options"]}


def test_questions_of_servers_are_forms() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "title": "Run this command?"}}}
    question = ElicitationRequest(id="q", server="s", message="# Run this?", requested_schema=schema)
    params = elicitation_request("session", question)
    check("CreateElicitationRequest", params)
    assert params["message"] == "The MCP server s asks you:\n\n    s│ # Run this?"
    assert params["requestedSchema"]["properties"]["a"]["title"] == "s│ Run this command?"


@pytest.mark.parametrize(
    ("answer", "action", "content"),
    [
        ({"action": "accept", "content": {"a": "b"}}, "accept", {"a": "b"}),
        ({"action": "accept"}, "decline", None),
        ({"action": "accept", "content": None}, "decline", None),
        ({"action": "accept", "content": dict.fromkeys(map(str, range(101)))}, "decline", None),
        ({"action": "cancel"}, "cancel", None),
        ({"action": "shrug"}, "decline", None),
        ([], "decline", None),
        (None, "decline", None),
    ],
)
def test_only_an_acceptance_with_a_content_is_one(answer: Any, action: str, content: Any) -> None:
    question = ElicitationRequest(id="q", server="s", message="?", requested_schema={})
    op = elicitation_answer(question, answer)
    assert (op.id, op.action, op.content) == ("q", action, content)


def test_kinds_are_sent_only_to_clients_that_declare_them() -> None:
    usage = TokenUsage(total_tokens=7)
    events: list[EventMsg] = [
        WarningEvent(message="careful\nindeed"),
        StreamError(message="again", attempt=1, max=2, delay_ms=3),
        PlanUpdate(plan=[]),
        ContextCompacted(before=10, after=2, summary="s"),
        TokenCount(
            info=TokenUsageInfo(total_token_usage=usage, last_token_usage=usage, model_context_window=9)
        ),
    ]
    plain = [one["sessionUpdate"] for one in updates(*events)]
    assert plain == ["agent_thought_chunk", "plan", "agent_message_chunk", "usage_update"]
    sent = updates(*events, client=EVERYTHING)
    kinds = [one["sessionUpdate"] for one in sent]
    assert kinds == ["notice", "notice", "plan_update", "compaction_update", "usage_update"]
    assert (sent[0]["title"], sent[0]["description"]) == ("careful", "indeed")
    assert (sent[-1]["used"], sent[-1]["size"]) == (7, 9)


def test_messages_keep_the_ids_of_the_engine() -> None:
    shown = updates(
        AgentReasoningDelta(delta="t", item_id="r"),
        AgentReasoning(text="t", item_id="r"),
        AgentMessageDelta(delta="a", item_id="m1"),
        AgentMessageDelta(delta="b", item_id="m1"),
        AgentMessage(message="ab", item_id="m1"),
        AgentMessage(message="c", item_id="m2"),
    )
    assert [one["messageId"] for one in shown] == ["r", "m1", "m1", "m2"]


@pytest.mark.parametrize("end", [TaskComplete(), TurnAborted(reason="interrupted"), ErrorEvent(message="no")])
def test_a_call_that_is_open_when_its_turn_ends_has_failed(end: EventMsg) -> None:
    request = ExecApprovalRequest(call_id="c", approval_id="c", command=["ls"], cwd=CWD)
    first, last = updates(request, end)
    assert (first["sessionUpdate"], first["status"]) == ("tool_call", "pending")
    assert last == {"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "failed"}


def test_a_call_is_announced_once_however_often_it_is_asked_about() -> None:
    ask = ExecApprovalRequest(call_id="c", approval_id="c", command=["ls"], cwd=CWD)
    begin = ExecCommandBegin(call_id="c", command=["ls"], cwd=CWD)
    end = ExecCommandEnd(call_id="c", stdout="", stderr="", exit_code=1, duration=Duration.of(0))
    again = ask.model_copy(update={"approval_id": "d"})
    kinds = [one["sessionUpdate"] for one in updates(ask, begin, end, again, begin, end)]
    assert kinds[0] == "tool_call"
    assert kinds.count("tool_call") == 2  # the call that ended is asked about again
    translator = UpdateTranslator()
    translator.updates(ask)
    assert translator.denied("c")[0]["status"] == "failed"
    assert translator.denied("c") == []
    failed = ToolCallFailed(call_id="x", tool="shell", message="no")
    assert updates(failed)[0]["status"] == "failed"


def test_what_cannot_be_seen_in_a_difference_is_escaped() -> None:
    diff = "@@ -1 +1 @@\n-if a:\r\n+if a:\u202e\r\n"
    change = UpdateChange(update=UpdateBody(unified_diff=diff))
    (call,) = updates(PatchApplyBegin(call_id="p", auto_approved=True, changes={"/w/a": change}))
    (shown,) = call["content"]
    assert (shown["oldText"], shown["newText"]) == ("if a:\r\n", "if a:\\u202e\r\n")


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
def test_no_damaged_item_breaks_a_replay(item: dict[str, Any]) -> None:
    for client in (NOTHING_DECLARED, EVERYTHING):
        replayed(item, client=client)


@pytest.mark.parametrize(
    ("message", "names", "asked"),
    [
        ("Who?", ["name"], True),
        ("Who?", ["n" * 201], False),
        ("Who?", ["a\x1b[2J"], False),
        ("Who?", [f"f{number}" for number in range(101)], False),
        ("W" * (64 * 1024 + 1), ["name"], False),
    ],
)
def test_a_form_that_no_editor_can_show_whole_is_not_asked(
    message: str, names: list[str], asked: bool
) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    question = ElicitationRequest(id="e", server="s", message=message, requested_schema=schema)
    assert can_be_asked(question) == asked
