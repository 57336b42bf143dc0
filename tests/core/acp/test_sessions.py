"""Capabilities, modes, options and commands of a session: all pure."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from code_core.acp.capabilities import NOTHING_DECLARED, ClientCapabilities
from code_core.acp.commands import BUILT_IN, Show, available_commands, carried_out
from code_core.acp.elicitation import can_be_asked, elicitation_answer, elicitation_request
from code_core.acp.modes import PRESETS, mode_of, mode_state, modes_with
from code_core.acp.options import config_options, option_id
from code_core.acp.permissions import permission_decision, permission_request
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
from support.acp_clients import EVERYTHING
from support.acp_schema import check
from support.json_values import JSON

CWD = Path("/w")


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
def test_malformed_capabilities_count_as_undeclared(
    declared: dict[str, Any], expected: ClientCapabilities
) -> None:
    assert ClientCapabilities.of(declared) == expected


@given(value=JSON)
def test_any_capabilities_can_be_parsed(value: Any) -> None:
    ClientCapabilities.of({"clientCapabilities": value})


@pytest.mark.parametrize("approval", [one.value for one in AskForApproval])
@pytest.mark.parametrize("sandbox", [one.value for one in SandboxMode])
def test_any_combination_of_settings_is_a_mode(approval: str, sandbox: str) -> None:
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
def test_effects_of_prompts(text: str, expected: Any) -> None:
    assert carried_out([TextInput(text=text)]) == expected


def test_a_prompt_without_text_goes_to_the_model() -> None:
    items = [ImageInput(image_url="data:image/png;base64,")]
    assert carried_out(items) == Input(items=items)
    check("SessionUpdate", available_commands())
    assert all(isinstance(carried_out([TextInput(text=f"/{one.name}")]), object) for one in BUILT_IN)


@pytest.mark.parametrize("decision", ReviewDecision)
def test_every_option_has_its_decision(decision: ReviewDecision) -> None:
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
def test_other_answers_are_not_decisions(answer: Any) -> None:
    assert permission_decision(answer) is None


def test_without_a_rule_there_is_no_option_to_allow_always() -> None:
    request = ExecApprovalRequest(call_id="c", approval_id="a", command=["ls"], cwd=CWD)
    assert "approved-prefix" not in {one["optionId"] for one in permission_request("s", request)["options"]}


def test_questions_from_servers_are_forms() -> None:
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
def test_only_an_acceptance_with_content_counts(answer: Any, action: str, content: Any) -> None:
    question = ElicitationRequest(id="q", server="s", message="?", requested_schema={})
    op = elicitation_answer(question, answer)
    assert (op.id, op.action, op.content) == ("q", action, content)


def test_updates_are_sent_only_to_clients_that_declare_them() -> None:
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


def test_messages_keep_the_engines_ids() -> None:
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


def test_invisible_characters_in_a_diff_are_escaped() -> None:
    diff = "@@ -1 +1 @@\n-if a:\r\n+if a:\u202e\r\n"
    change = UpdateChange(update=UpdateBody(unified_diff=diff))
    (call,) = updates(PatchApplyBegin(call_id="p", auto_approved=True, changes={"/w/a": change}))
    (shown,) = call["content"]
    assert (shown["oldText"], shown["newText"]) == ("if a:\r\n", "if a:\\u202e\r\n")


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
def test_a_form_that_no_editor_can_show_completely_is_not_asked(
    message: str, names: list[str], asked: bool
) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    question = ElicitationRequest(id="e", server="s", message=message, requested_schema=schema)
    assert can_be_asked(question) == asked
