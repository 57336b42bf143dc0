"""Calls of `write_stdin`: what may be typed, and what is returned."""

import re
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.protocol.events import EventMsg
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    ReviewDecision,
    WorkspaceWrite,
)
from code_core.tools.tool import ToolOutput
from core.tools.command_desk import Desk
from core.tools.conftest import Emitted
from core.tools.terminal_calls import Calls, begins, ends, parts, run, typed

pytestmark = pytest.mark.usefixtures("short_waits")


def test_an_unknown_session_is_answered_with_the_running_ones(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        assert (await calls.write(7)).text.endswith("never existed. Running: none")
        await calls.exec("sleep 60", yield_time_ms=1)
        await calls.exec("sleep 61", yield_time_ms=1)
        output = await calls.write(7)
        assert not output.success
        assert output.text == (
            "there is no session 7: it has ended or never existed. Running: "
            f"session 1: sleep 60 (in {desk.cwd}); session 2: sleep 61 (in {desk.cwd})"
        )

    run(desk, body)


def test_a_command_without_a_terminal_accepts_only_the_interrupt_key(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("echo ready; sleep 60", yield_time_ms=1)
        output = await calls.write(1, "x")
        assert not output.success
        assert output.text.startswith(r"this session accepts no input except \u0003")
        _, status, _ = parts(await calls.write(1, "\x03", yield_time_ms=10_000))
        assert status == "Process exited with code 143"
        assert calls.terminals.find(1) is None

    run(desk, body)


def test_typed_text_is_shown_and_read(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("stty -echo; echo ready; while read x; do echo got $x; done", tty=True)
        output = await calls.write(1, "é one\n", call_id="typing")
        assert parts(output)[2] == "got é one\n"
        await calls.write(1, "two\n", call_id="later", max_output_tokens=1)

    run(desk, body)
    (begin,) = (one for one in begins(emitted) if one.call_id == "typing")
    assert begin.input == "é one\n"
    (end,) = (one for one in ends(emitted) if one.call_id == "typing")
    assert (end.stdout, end.session_id, end.exit_code) == ("got é one\n", 1, 0)
    assert typed(emitted, "typing") == "got é one\r\n".encode()
    assert typed(emitted, "later") == b"got two\r\n"


def test_text_that_does_not_fit_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code_core.tools.terminal_session.LONGEST_WRITE", 0.2)

    async def body(calls: Calls) -> None:
        await calls.start("stty raw -echo; echo ready; sleep 60", tty=True)
        output = await calls.write(1, "x" * 60_000)
        found = re.match(r"\[The program read only ([\d,]+) of 60,000 bytes\.\]\nWall", output.text)
        assert found is not None
        assert 0 < int(found[1].replace(",", "")) < 60_000

    run(desk, body)


def test_a_command_that_ended_before_typing_is_reported(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        await calls.exec("sleep 0.3; exit 4", tty=True, yield_time_ms=1)
        session = calls.terminals.find(1)
        assert session is not None
        await session.finished.wait()
        output = await calls.write(1, "x\n")
        assert output.text.startswith("[It ended before anything was typed.]\nWall time: ")
        assert "Process exited with code 4" in output.text
        assert not output.success
        assert calls.terminals.find(1) is None

    run(desk, body)


def test_an_end_that_was_read_needs_no_note(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        await calls.exec("sleep 0.3; exit 4", tty=True, yield_time_ms=1)
        output = await calls.write(1, "", call_id="last", yield_time_ms=10_000)
        assert output.text.startswith("Wall time: ")
        assert calls.terminals.find(1) is None

    run(desk, body)
    (end,) = (one for one in ends(emitted) if one.call_id == "last")
    assert (end.exit_code, end.session_id) == (4, None)


def test_an_interrupt_while_typing_keeps_the_session(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("stty -echo; echo ready; cat", tty=True)
        with anyio.CancelScope() as scope:

            async def emit(msg: EventMsg) -> None:
                await anyio.lowlevel.checkpoint()
                await emitted(msg)
                if msg.type == "exec_command_output_delta":
                    scope.cancel()

            calls.context = replace(calls.context, emit=emit)
            await calls.write(1, "x\n", call_id="stopped", yield_time_ms=10_000)
        session = calls.terminals.find(1)
        assert session is not None
        assert session.on_chunk is None
        assert session.end is None

    run(desk, body)
    (end,) = (one for one in ends(emitted) if one.call_id == "stopped")
    assert (end.exit_code, end.stderr, end.session_id) == (130, "command interrupted by the user", 1)


def with_rights(calls: Calls, policy: Any) -> None:
    """The session, as if started under another policy."""
    session = calls.terminals.find(1)
    assert session is not None
    session.command = replace(session.command, policy=policy)


@pytest.mark.parametrize(
    ("started", "now", "policy", "reason"),
    [
        (None, DangerFullAccess(), AskForApproval.ON_REQUEST, None),
        (ReadOnly(), ReadOnly(), AskForApproval.ON_REQUEST, None),
        (None, ReadOnly(), AskForApproval.ON_REQUEST, ", which runs outside the sandbox"),
        (WorkspaceWrite(), ReadOnly(), AskForApproval.ON_REQUEST, ""),
        (None, DangerFullAccess(), AskForApproval.UNTRUSTED, ", which runs outside the sandbox"),
    ],
)
def test_typing_requires_the_turns_permissions(
    desk: Desk, started: Any, now: Any, policy: AskForApproval, reason: str | None
) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("stty -echo; echo ready; cat", tty=True)
        with_rights(calls, started)
        calls.context = replace(calls.context, sandbox_policy=now, approval_policy=policy)
        assert "x" in parts(await calls.write(1, "x\n"))[2]
        if reason is None:
            assert calls.user.questions == []
            return
        (question,) = calls.user.questions
        assert question.call_id == "w1"
        assert question.argv == ["write_stdin", "1", "x\n"]
        assert question.cwd == desk.cwd
        assert question.reason == f"it would be typed into session 1{reason}"
        assert question.grant is None
        assert (question.sandboxed, question.escalated) == (started is not None, started is None)
        calls.user.decision = ReviewDecision.DENIED
        output = await calls.write(1, "y\n")
        assert output == ToolOutput("input rejected by user", success=False, reported=True)
        await calls.write(1, "\x03")
        await calls.write(1)
        assert len(calls.user.questions) == 2

    run(desk, body)


def test_under_never_typing_is_rejected(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("stty -echo; echo ready; cat", tty=True)
        calls.context = replace(
            calls.context, sandbox_policy=ReadOnly(), approval_policy=AskForApproval.NEVER
        )
        output = await calls.write(1, "x\n")
        assert not output.success
        assert output.text == (
            "input rejected: it would be typed into session 1, which runs outside the sandbox, "
            "and the approval policy is never"
        )

    run(desk, body)
