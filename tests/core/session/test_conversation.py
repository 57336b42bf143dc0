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
from core.session.conversing import Face, user
from support import responses_events as sse
from support.scenario import Response

SLEEP = [sse.function_call("shell", {"command": ["sleep", "60"]}, "c1"), sse.completed()]
TOUCH = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE: Response = [sse.message("bye"), sse.completed()]


def test_the_first_and_the_last_event(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.finish()
        assert face.kinds == ["session_configured", "shutdown_complete"]
        with pytest.raises(ConversationError, match="has ended"):
            await face.send(user("more"))

    converse(script)


def test_new_input_replaces_the_turn(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("first"))
        await face.until("exec_command_begin")
        await face.send(user("second"))
        assert (await face.until("turn_aborted")).reason == "replaced"
        assert (await face.until("task_complete")).last_agent_message == "bye"
        assert face.kinds.count("exec_command_end") == 1

    converse(
        script,
        SLEEP,
        {
            "expect": [{"contains": "turn_interrupted"}, {"call_id": "c1", "output_contains": "aborted"}],
            "stream": BYE,
        },
    )


def test_an_interrupt_leaves_the_queue(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("first"))
        await face.until("exec_command_begin")
        await face.send(QueueUserInput(items=[TextInput(text="queued words")]))
        await face.send(Interrupt())
        assert (await face.until("turn_aborted")).reason == "interrupted"
        await face.send(user("second"))
        await face.until("task_complete")

    converse(script, SLEEP, {"expect": [{"contains": "queued words"}, {"contains": "second"}], "stream": BYE})


def test_queued_input_joins_the_next_request_of_the_turn(converse: Callable[..., None]) -> None:
    wait = [
        sse.function_call("shell", {"command": ["bash", "-c", "until [ -e go ]; do sleep 0.01; done"]}, "c1"),
        sse.completed(),
    ]

    async def script(face: Face) -> None:
        await face.send(user("first"))
        await face.until("exec_command_begin")
        await face.send(QueueUserInput(items=[TextInput(text="by the way")]))
        (face.conversation.config.cwd / "go").touch()
        await face.until("task_complete")
        assert face.kinds.count("task_started") == 1

    converse(script, wait, {"expect": [{"contains": "by the way"}], "stream": BYE})


def test_queued_input_starts_a_turn_when_idle(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(QueueUserInput(items=[TextInput(text="hello")]))
        await face.until("task_complete")

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
    async def script(face: Face) -> None:
        await face.send(user("go"))
        request = await face.until("exec_approval_request")
        await face.send(ExecApproval(id=request.call_id, decision=decision))
        await face.until("task_complete")
        assert (face.conversation.config.cwd / "made").exists() == made

    converse(script, TOUCH, BYE, sandbox=SandboxMode.READ_ONLY)


def test_what_was_approved_for_the_session_is_not_asked_again(converse: Callable[..., None]) -> None:
    again = [sse.function_call("shell", {"command": ["touch", "made"]}, "c2"), sse.completed()]

    async def script(face: Face) -> None:
        await face.send(user("go"))
        request = await face.until("exec_approval_request")
        await face.send(ExecApproval(id=request.call_id, decision=ReviewDecision.APPROVED_FOR_SESSION))
        await face.until("task_complete")
        assert face.kinds.count("exec_approval_request") == 1

    converse(script, TOUCH, again, BYE, sandbox=SandboxMode.READ_ONLY)


def test_abort_ends_the_turn(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("go"))
        request = await face.until("exec_approval_request")
        await face.send(ExecApproval(id=request.call_id, decision=ReviewDecision.ABORT))
        await face.until("turn_aborted")
        await face.finish()

    converse(script, TOUCH, sandbox=SandboxMode.READ_ONLY)


def test_late_and_unknown_answers_are_said_and_change_nothing(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(PatchApproval(id="nothing", decision=ReviewDecision.APPROVED))
        assert "'nothing'" in (await face.until("warning")).message
        await face.send(user("go"))
        request = await face.until("exec_approval_request")
        await face.send(Interrupt())
        await face.until("turn_aborted")
        await face.send(ExecApproval(id=request.call_id, decision=ReviewDecision.APPROVED))
        await face.until("warning")
        assert not (face.conversation.config.cwd / "made").exists()

    converse(script, TOUCH, sandbox=SandboxMode.READ_ONLY)


def test_changed_settings_are_told_to_the_model_and_hold(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("one"))
        await face.until("task_complete")
        await face.send(OverrideTurnContext(sandbox_policy=ReadOnly(), approval_policy=AskForApproval.NEVER))
        await face.send(user("two"))
        await face.until("task_complete")
        assert not (face.conversation.config.cwd / "made").exists()

    read_only = {"contains": "<sandbox_mode>read-only</sandbox_mode>"}
    converse(script, BYE, {"expect": [read_only], "stream": TOUCH}, BYE)


def test_unknown_tools_and_bad_arguments_are_answered(converse: Callable[..., None]) -> None:
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
    said = {
        "c1": "unsupported call: nonsense",
        "c2": "failed to parse function arguments",
        "c3": "failed to parse function arguments: command",
        "c4": "plan.0.status",
        "c5": "command not found",
        "c6": "cannot be run",
        "c7": "does not exist",
        "c8": "first line must be",
    }

    async def script(face: Face) -> None:
        await face.send(user("go"))
        await face.until("task_complete")

    expect = [{"call_id": call_id, "output_contains": text} for call_id, text in said.items()]
    converse(script, calls, {"expect": expect, "stream": BYE})


def test_a_repeating_model_is_stopped(converse: Callable[..., None]) -> None:
    same = [
        [sse.function_call("shell", {"command": ["false"]}, f"c{number}"), sse.completed()]
        for number in range(9)
    ]

    async def script(face: Face) -> None:
        await face.send(user("go"))
        assert "5 times in a row" in (await face.until("error")).message
        assert face.kinds.count("exec_command_end") == 5
        await face.send(user("look at the last result"))
        await face.until("task_complete")

    told = {"expect": [{"call_id": "c4", "output_contains": '"exit_code": 1'}], "stream": BYE}
    converse(script, *same[:5], told)


def test_a_provider_that_counts_calls_anew_in_each_response_gets_each_result(
    converse: Callable[..., None],
) -> None:
    def echo(word: str) -> Response:
        return [sse.function_call("shell", {"command": ["printf", "<%s>", word]}, "call_0"), sse.completed()]

    async def script(face: Face) -> None:
        await face.send(user("go"))
        await face.until("task_complete")

    told = {"expect": [{"contains": f"<{word}>"} for word in ("first", "second", "third")], "stream": BYE}
    converse(script, echo("first"), echo("second"), echo("third"), told)


def test_an_interrupt_at_once_ends_a_turn_that_has_begun(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("first"))
        await face.send(Interrupt())
        await face.until("turn_aborted")
        assert face.kinds[:2] == ["session_configured", "task_started"]
        await face.send(user("second"))
        await face.until("task_complete")

    converse(script, {"expect": [{"contains": "first"}, {"contains": "turn_interrupted"}], "stream": BYE})


def test_input_that_waits_when_a_turn_fails_is_not_forgotten_silently(converse: Callable[..., None]) -> None:
    async def script(face: Face) -> None:
        await face.send(user("first"))
        await face.until("exec_command_begin")
        await face.send(QueueUserInput(items=[TextInput(text="queued")]))
        await face.until("error")
        assert "1 queued" in (await face.until("warning")).message

    converse(script, SLEEP, settings=(("limits.max_wall_seconds", 0.5),))


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("max_tool_calls", 1, "after 1 tool calls"),
        ("max_wall_seconds", 0.2, "after 0.2 seconds"),
        ("max_total_tokens", 20, "tokens"),
    ],
)
def test_limits_end_the_turn_with_a_clear_error(
    converse: Callable[..., None], limit: str, value: float, said: str
) -> None:
    touches = [
        [sse.function_call("shell", {"command": ["echo", str(n)]}, f"c{n}"), sse.completed()]
        for n in range(3)
    ]
    responses = [SLEEP] if limit == "max_wall_seconds" else touches

    async def script(face: Face) -> None:
        await face.send(user("go"))
        assert said in (await face.until("error")).message

    converse(script, *responses, settings=((f"limits.{limit}", value),))


def test_leaving_without_shutdown_ends_the_commands(converse: Callable[..., None], tmp_path: Path) -> None:
    pids: list[int] = []
    tell = [
        sse.function_call("shell", {"command": ["bash", "-c", "echo $$; sleep 60"]}, "c1"),
        sse.completed(),
    ]

    async def script(face: Face) -> None:
        import base64

        await face.send(user("go"))
        delta = await face.until("exec_command_output_delta")
        pids.append(int(base64.b64decode(delta.chunk)))

    converse(script, tell)
    assert not Path(f"/proc/{pids[0]}").exists()
