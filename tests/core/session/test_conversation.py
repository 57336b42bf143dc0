from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.errors import ConversationError
from code_core.protocol.ops import (
    ExecApproval,
    Interrupt,
    OverrideTurnContext,
    PatchApproval,
    QueueUserInput,
    TextInput,
)
from code_core.protocol.policies import AskForApproval, ReadOnly, ReviewDecision, SandboxMode
from core.session.conversing import Frontend, user
from support import responses_events as sse
from support.scenario import Response

SLEEP = [sse.function_call("shell", {"command": ["sleep", "60"]}, "c1"), sse.completed()]
TOUCH = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE: Response = [sse.message("bye"), sse.completed()]


def test_the_first_and_the_last_event(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.finish()
        assert frontend.kinds == ["session_configured", "shutdown_complete"]
        with pytest.raises(ConversationError, match="has ended"):
            await frontend.send(user("more"))

    converse(script)


def test_new_input_replaces_the_turn(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.until("exec_command_begin")
        await frontend.send(user("second"))
        assert (await frontend.until("turn_aborted")).reason == "replaced"
        assert (await frontend.until("task_complete")).last_agent_message == "bye"
        assert frontend.kinds.count("exec_command_end") == 1

    converse(
        script,
        SLEEP,
        {
            "expect": [
                {"contains": "turn_interrupted"},
                {"call_id": "c1", "output_contains": "interrupted by the user"},
            ],
            "stream": BYE,
        },
    )


def test_an_interrupt_leaves_the_queue(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.until("exec_command_begin")
        await frontend.send(QueueUserInput(items=[TextInput(text="queued words")]))
        await frontend.send(Interrupt())
        assert (await frontend.until("turn_aborted")).reason == "interrupted"
        await frontend.send(user("second"))
        await frontend.until("task_complete")

    converse(script, SLEEP, {"expect": [{"contains": "queued words"}, {"contains": "second"}], "stream": BYE})


def test_queued_input_joins_the_next_request_of_the_turn(converse: Callable[..., None]) -> None:
    wait = [
        sse.function_call("shell", {"command": ["bash", "-c", "until [ -e go ]; do sleep 0.01; done"]}, "c1"),
        sse.completed(),
    ]

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.until("exec_command_begin")
        await frontend.send(QueueUserInput(items=[TextInput(text="by the way")]))
        (frontend.conversation.config.cwd / "go").touch()
        await frontend.until("task_complete")
        assert frontend.kinds.count("task_started") == 1

    converse(script, wait, {"expect": [{"contains": "by the way"}], "stream": BYE})


def test_queued_input_starts_a_turn_when_idle(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(QueueUserInput(items=[TextInput(text="hello")]))
        await frontend.until("task_complete")

    converse(script, BYE)


@pytest.mark.parametrize(
    ("decision", "made"),
    [
        (ReviewDecision.APPROVED, True),
        (ReviewDecision.APPROVED_FOR_SESSION, True),
        (ReviewDecision.DENIED, False),
    ],
)
def test_an_approval_is_an_event_out_and_an_op_in(
    converse: Callable[..., None], decision: ReviewDecision, made: bool
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        request = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=request.approval_id, decision=decision))
        await frontend.until("task_complete")
        assert (frontend.conversation.config.cwd / "made").exists() == made

    converse(script, TOUCH, BYE, sandbox=SandboxMode.READ_ONLY)


def test_an_approval_for_the_session_is_not_asked_for_again(converse: Callable[..., None]) -> None:
    again = [sse.function_call("shell", {"command": ["touch", "made"]}, "c2"), sse.completed()]

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        request = await frontend.until("exec_approval_request")
        await frontend.send(
            ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED_FOR_SESSION)
        )
        await frontend.until("task_complete")
        assert frontend.kinds.count("exec_approval_request") == 1

    converse(script, TOUCH, again, BYE, sandbox=SandboxMode.READ_ONLY)


def test_abort_ends_the_turn(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        request = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=request.approval_id, decision=ReviewDecision.ABORT))
        await frontend.until("turn_aborted")
        await frontend.finish()

    converse(script, TOUCH, sandbox=SandboxMode.READ_ONLY)


def test_late_and_unknown_answers_are_reported_and_change_nothing(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(PatchApproval(id="nothing", decision=ReviewDecision.APPROVED))
        assert "'nothing'" in (await frontend.until("warning")).message
        await frontend.send(user("go"))
        request = await frontend.until("exec_approval_request")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await frontend.send(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await frontend.until("warning")
        assert not (frontend.conversation.config.cwd / "made").exists()

    converse(script, TOUCH, sandbox=SandboxMode.READ_ONLY)


def test_changed_settings_apply_and_are_sent_to_the_model(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("one"))
        await frontend.until("task_complete")
        await frontend.send(
            OverrideTurnContext(sandbox_policy=ReadOnly(), approval_policy=AskForApproval.NEVER)
        )
        await frontend.send(user("two"))
        await frontend.until("task_complete")
        assert not (frontend.conversation.config.cwd / "made").exists()

    read_only = {"contains": "<sandbox_mode>read-only</sandbox_mode>"}
    converse(script, BYE, {"expect": [read_only], "stream": TOUCH}, BYE)


def test_a_turn_keeps_its_initial_settings(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("one"))
        await frontend.until("user_message")
        await frontend.send(
            OverrideTurnContext(sandbox_policy=ReadOnly(), approval_policy=AskForApproval.NEVER)
        )
        await frontend.until("task_complete")
        assert "settings_changed" in frontend.kinds
        assert (frontend.conversation.config.cwd / "made").exists()

    converse(script, [{"pause_ms": 300}, *TOUCH], BYE)


def test_unknown_tools_and_invalid_arguments_are_answered(converse: Callable[..., None]) -> None:
    calls = [
        sse.function_call("nonsense", {}, "c1"),
        sse.function_call("shell", "not json", "c2"),
        sse.function_call("shell", {"command": []}, "c3"),
        sse.function_call("update_plan", {"plan": [{"step": "x", "status": "never"}]}, "c4"),
        sse.function_call("shell", {"command": ["no-such-program"]}, "c5"),
        sse.function_call("shell", {"command": ["a\u0000b"]}, "c6"),
        sse.function_call("shell", {"command": ["ls"], "workdir": "/no/such/place"}, "c7"),
        sse.function_call("apply_patch", {"input": "nonsense"}, "c8"),
        sse.completed(),
    ]
    expected = {
        "c1": "unsupported call: nonsense",
        "c2": "failed to parse function arguments",
        "c3": "failed to parse function arguments: command",
        "c4": "plan.0.status",
        "c5": "command not found",
        "c6": "the command contains a NUL character",
        "c7": "does not exist",
        "c8": "first line must be",
    }

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")

    expect = [{"call_id": call_id, "output_contains": text} for call_id, text in expected.items()]
    converse(script, calls, {"expect": expect, "stream": BYE})


def test_a_repeating_model_is_stopped(converse: Callable[..., None]) -> None:
    same = [
        [sse.function_call("shell", {"command": ["false"]}, f"c{number}"), sse.completed()]
        for number in range(9)
    ]

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        assert "5 times in a row" in (await frontend.until("error")).message
        assert frontend.kinds.count("exec_command_end") == 5
        await frontend.send(user("look at the last result"))
        await frontend.until("task_complete")

    shown = {"expect": [{"call_id": "c4", "output_contains": '"exit_code": 1'}], "stream": BYE}
    converse(script, *same[:5], shown)


def test_results_are_matched_even_if_a_provider_restarts_its_call_ids(
    converse: Callable[..., None],
) -> None:
    def echo(word: str) -> Response:
        return [sse.function_call("shell", {"command": ["printf", "<%s>", word]}, "call_0"), sse.completed()]

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")

    shown = {"expect": [{"contains": f"<{word}>"} for word in ("first", "second", "third")], "stream": BYE}
    converse(script, echo("first"), echo("second"), echo("third"), shown)


def test_an_immediate_interrupt_ends_the_turn(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        assert frontend.kinds[:2] == ["session_configured", "task_started"]
        await frontend.send(user("second"))
        await frontend.until("task_complete")

    converse(script, {"expect": [{"contains": "first"}, {"contains": "turn_interrupted"}], "stream": BYE})


def test_input_that_waits_when_a_turn_fails_is_reported(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.until("exec_command_begin")
        await frontend.send(QueueUserInput(items=[TextInput(text="queued")]))
        await frontend.until("error")
        assert "1 queued" in (await frontend.until("warning")).message

    converse(script, SLEEP, settings=(("limits.max_wall_seconds", 0.5),))


@pytest.mark.parametrize(
    ("limit", "value", "sent"),
    [
        ("max_tool_calls", 1, "after 1 tool calls"),
        ("max_wall_seconds", 0.2, "after 0.2 seconds"),
        ("max_total_tokens", 20, "tokens"),
    ],
)
def test_limits_end_the_turn_with_a_clear_error(
    converse: Callable[..., None], limit: str, value: float, sent: str
) -> None:
    touches = [
        [sse.function_call("shell", {"command": ["echo", str(n)]}, f"c{n}"), sse.completed()]
        for n in range(3)
    ]
    responses = [SLEEP] if limit == "max_wall_seconds" else touches

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        assert sent in (await frontend.until("error")).message

    converse(script, *responses, settings=((f"limits.{limit}", value),))


def test_leaving_without_shutdown_ends_the_commands(converse: Callable[..., None], tmp_path: Path) -> None:
    pids: list[int] = []
    tell = [
        sse.function_call("shell", {"command": ["bash", "-c", "echo $$; sleep 60"]}, "c1"),
        sse.completed(),
    ]

    async def script(frontend: Frontend) -> None:
        import base64

        await frontend.send(user("go"))
        delta = await frontend.until("exec_command_output_delta")
        pids.append(int(base64.b64decode(delta.chunk)))

    converse(script, tell)
    assert not Path(f"/proc/{pids[0]}").exists()
