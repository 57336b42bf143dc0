"""Calls of `exec_command`: what the model gets, and what the user sees."""

import base64
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.process.spawn import start_command, terminate_group
from code_core.protocol.events import EventMsg, ExecCommandOutputDelta, WarningEvent
from code_core.protocol.policies import (
    AskForApproval,
    ReadOnly,
    ReviewDecision,
    WorkspaceWrite,
)
from code_core.sandbox.detection import Detection, Finding
from code_core.tools import exec_commands
from code_core.tools.terminals import MOST
from core.tools.command_desk import Desk
from core.tools.conftest import Emitted
from core.tools.terminal_calls import Calls, begins, ends, parts, run, typed

pytestmark = pytest.mark.usefixtures("short_waits")


def test_a_command_that_ends_is_reported_and_answered(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        (desk.cwd / "sub").mkdir()
        output = await calls.exec("pwd; echo problem >&2; sleep 0.2; exit 3", workdir="sub")
        seconds, status, text = parts(output)
        assert 0.2 <= seconds < 20
        assert (status, text) == ("Process exited with code 3", f"{desk.cwd}/sub\nproblem\n")
        assert (output.success, output.fingerprint) == (False, f"3\n{text}")
        assert calls.terminals.find(1) is None
        fine = await calls.exec("true")
        assert (fine.success, fine.fingerprint) == (True, "0\n")

    run(desk, body)
    begin, end = begins(emitted)[0], ends(emitted)[0]
    assert (begin.call_id, begin.cwd, begin.session_id, begin.input) == ("e1", desk.cwd / "sub", 1, None)
    assert begin.command == ["bash", "-lc", "pwd; echo problem >&2; sleep 0.2; exit 3"]
    assert begin.parsed_cmd != []
    assert (end.call_id, end.exit_code, end.stderr, end.session_id) == ("e1", 3, "", None)
    assert end.stdout == f"{desk.cwd}/sub\nproblem\n"
    assert 0.2 <= end.duration.seconds < 20
    assert typed(emitted, "e1") == end.stdout.encode()
    assert emitted.kinds.count("terminals_changed") == 0


def test_a_command_that_keeps_running_is_a_session(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        output = await calls.exec("echo begun; sleep 60", yield_time_ms=1)
        assert parts(output)[1] == "Process running with session ID 1"
        assert output.success
        assert emitted.kinds[-1] == "terminals_changed"
        session = calls.terminals.find(1)
        assert session is not None
        assert session.on_chunk is None
        looks = [await calls.write(1, call_id=f"w{number}") for number in range(3)]
        assert len({look.fingerprint for look in [output, *looks]}) == 4
        assert [parts(look)[1] for look in looks] == ["Process running with session ID 1"] * 3
        await anyio.sleep(0.1)
        assert session.on_chunk is None

    run(desk, body)
    assert [(end.exit_code, end.session_id, end.stderr) for end in ends(emitted)] == [(0, 1, "")] * 4
    assert [begin.session_id for begin in begins(emitted)] == [1] * 4


def test_waits_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[tuple[float | None, float, float, float]] = []

    def bounded(value: float | None, default: float, least: float, most: float) -> float:
        waits.append((value, default, least, most))
        return 0.05

    monkeypatch.setattr(exec_commands, "bounded", bounded)

    async def body(calls: Calls) -> None:
        await calls.exec("cat", tty=True, yield_time_ms=7)
        await calls.write(1, yield_time_ms=8)
        await calls.write(1, "x", yield_time_ms=9)

    run(desk, body)
    assert waits == [(7, 10_000, 100, 30_000), (8, 100, 100, 300_000), (9, 100, 100, 30_000)]


def test_the_default_waits_are_the_same_as_in_codex() -> None:
    assert (exec_commands.EXEC_WAIT, exec_commands.LONGEST_WAIT, exec_commands.LONGEST_POLL) == (
        10_000,
        30_000,
        300_000,
    )


def test_nothing_starts_if_no_command_may_outlive_its_call(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        calls.context = replace(calls.context, terminals=None)
        output = await calls.exec("true")
        assert (output.success, output.text) == (False, "commands cannot outlive a call here: use shell")
        output = await calls.write(1)
        assert output.text == "there is no session 1: it has ended or never existed. Running: none"
        assert not output.success

    run(desk, body)
    assert emitted.events == []


@pytest.mark.parametrize(
    ("environment", "tty", "term"),
    [
        ({}, True, "xterm-256color"),
        ({"TERM": "dumb"}, True, "xterm-256color"),
        ({"TERM": "vt100"}, True, "vt100"),
        ({"TERM": "dumb"}, False, "dumb"),
    ],
)
def test_a_terminal_has_a_type(desk: Desk, environment: dict[str, str], tty: bool, term: str) -> None:
    async def body(calls: Calls) -> None:
        whole = {**calls.context.environment, **environment}
        calls.context = replace(calls.context, environment=whole)
        assert parts(await calls.exec("echo $TERM", tty=tty))[2].strip() == term

    run(desk, body)


def test_terminal_output_is_plain_text(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        printed = r"printf '\033[1mbold\033[0m\n'"
        assert parts(await calls.exec(printed, tty=True))[2] == "bold\n"
        assert parts(await calls.exec(printed))[2] == "\033[1mbold\033[0m\n"

    run(desk, body)
    assert ends(emitted)[0].stdout == "bold\n"


def test_too_many_commands_are_rejected(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        for _ in range(MOST):
            session: Any = type("Running", (), {"id": calls.terminals.new_id(), "end": None})()
            calls.terminals._sessions[session.id] = session
        output = await calls.exec("true")
        assert not output.success
        assert output.text.startswith("64 commands are running")
        calls.terminals._sessions.clear()

    run(desk, body)
    assert emitted.events == []


def test_a_command_that_cannot_start_is_reported_and_answered(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        seconds, status, text = parts(output := await calls.exec("true", workdir="missing"))
        assert (seconds, status) == (0.0, "Process exited with code 126")
        assert "does not exist" in text
        assert not output.success
        assert calls.terminals.find(1) is None

    run(desk, body)
    (end,) = ends(emitted)
    assert end.exit_code == 126
    assert "does not exist" in end.stdout
    assert b"does not exist" in typed(emitted, "e1")
    assert emitted.kinds[0] == "exec_command_begin"


def test_files_are_saved_before_commands_that_may_change_them(desk: Desk) -> None:
    kept: list[str] = []

    async def keep() -> None:
        kept.append("kept")

    async def body(calls: Calls) -> None:
        home = calls.context.environment
        calls.context = replace(
            calls.context, before_command=keep, environment={**home, "HOME": "/nonexistent"}
        )
        await calls.exec("ls")
        assert kept == []
        await calls.exec("touch x; echo ready; cat", tty=True)
        assert kept == ["kept"]
        await calls.write(2)
        await calls.write(2, "x\n")
        assert kept == ["kept", "kept"]
        session = calls.terminals.find(2)
        assert session is not None
        session.command = replace(session.command, policy=ReadOnly())
        calls.context = replace(calls.context, sandbox_policy=ReadOnly())
        await calls.write(2, "y\n")
        assert kept == ["kept", "kept"]

    run(desk, body)


def test_output_is_limited_by_tokens_and_by_the_setting(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        kept = calls.context.output_file("e1")
        few = parts(await calls.exec("seq 1000", max_output_tokens=25))[2]
        assert len(few) < 400
        assert few.startswith("1\n2\n")
        assert "The whole output is in" not in few  # it was always short enough for memory
        calls.context = replace(calls.context, output_limit=200)
        cut = parts(await calls.exec("seq 1000", max_output_tokens=10_000))[2]
        assert len(cut) < 700
        assert cut.endswith(f"\n[The whole output is in {kept}]")
        assert len(kept.read_text().split()) == 1000
        all_of_it = parts(await calls.exec("seq 10", max_output_tokens=10_000))[2]
        assert all_of_it == "".join(f"{number}\n" for number in range(1, 11))

    run(desk, body)


def test_complete_output_names_no_file(desk: Desk) -> None:
    def printed(count: int) -> str:
        return f"head -c {count} /dev/zero | tr '\\0' x"

    async def body(calls: Calls) -> None:
        calls.context = replace(calls.context, output_limit=200)
        wait = "touch printed; until [ -e go ]; do sleep 0.01; done"
        await calls.exec(f"{printed(300)}; {wait}; {printed(200)}", yield_time_ms=1)
        while not (desk.cwd / "printed").exists():  # noqa: ASYNC110 - a file
            await anyio.sleep(0.01)
        await calls.write(1)
        (desk.cwd / "go").touch()
        assert parts(await calls.write(1, yield_time_ms=10_000))[2] == "x" * 200

    run(desk, body)


def test_lost_output_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code_core.tools.terminal_session.RING", 1_000)

    async def body(calls: Calls) -> None:
        calls.context = replace(calls.context, output_limit=2_000)
        text = parts(await calls.exec("head -c 5000 /dev/zero | tr '\\0' x"))[2]
        kept = calls.context.output_file("e1")
        assert text == f"[… 4,000 older bytes were dropped …]\n{'x' * 1_000}\n[The whole output is in {kept}]"

    run(desk, body)


def test_a_flood_causes_a_limited_number_of_events(
    desk: Desk, emitted: Emitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_commands, "MAX_DELTAS", 2)

    async def body(calls: Calls) -> None:
        await calls.exec("head -c 60000 /dev/zero | tr '\\0' x")

    run(desk, body)
    deltas = [event for event in emitted.events if isinstance(event, ExecCommandOutputDelta)]
    assert len(deltas) == 2
    assert {delta.stream for delta in deltas} == {"stdout"}
    assert all(len(base64.b64decode(delta.chunk)) <= 8192 for delta in deltas)


def test_a_large_chunk_is_several_events(desk: Desk, emitted: Emitted) -> None:
    written = desk.cwd / "written"

    async def slowly(msg: EventMsg) -> None:
        await emitted(msg)
        while msg.type == "exec_command_output_delta" and not written.exists():  # noqa: ASYNC110 - a file
            await anyio.sleep(0.01)  # the rest waits in the pipe

    async def body(calls: Calls) -> None:
        calls.context = replace(calls.context, emit=slowly)
        await calls.exec("echo begin; head -c 60000 /dev/zero | tr '\\0' x; touch written")

    run(desk, body)
    assert typed(emitted, "e1") == b"begin\n" + b"x" * 60_000
    deltas = [event for event in emitted.events if isinstance(event, ExecCommandOutputDelta)]
    assert max(len(base64.b64decode(delta.chunk)) for delta in deltas) == 8192


def test_an_interrupt_ends_the_awaited_command(desk: Desk, emitted: Emitted) -> None:
    async def body(calls: Calls) -> None:
        with anyio.CancelScope() as scope:

            async def emit(msg: EventMsg) -> None:
                await anyio.lowlevel.checkpoint()
                await emitted(msg)
                if msg.type == "exec_command_output_delta":
                    scope.cancel()

            calls.context = replace(calls.context, emit=emit)
            await calls.exec("echo begun; exec sleep 60")
        output = calls.context.interrupted["e1"]
        assert output.text.startswith("command interrupted by the user\nWall time: ")
        assert output.text.endswith("\nProcess exited with code 143\nOutput:\nbegun\n")
        assert calls.terminals.find(1) is None

    run(desk, body)
    (end,) = ends(emitted)
    assert (end.exit_code, end.stderr, end.session_id) == (130, "command interrupted by the user", None)


def test_an_escalated_command_needs_approval(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        calls.user.decision = ReviewDecision.DENIED
        calls.context = replace(calls.context, sandbox_policy=WorkspaceWrite())
        output = await calls.exec("touch x", with_escalated_permissions=True, justification="why")
        assert output.text == "command rejected by user"
        (question,) = calls.user.questions
        assert (question.escalated, question.justification) == (True, "why")

    run(desk, body, approval_policy=AskForApproval.ON_REQUEST)


def test_the_resolved_program_is_started_and_the_original_command_is_shown(
    desk: Desk, emitted: Emitted
) -> None:
    planted = desk.cwd / "bin"
    planted.mkdir()

    async def body(calls: Calls) -> None:
        environment = {**calls.context.environment, "PATH": f"{planted}:/usr/bin:/bin"}
        calls.context = replace(calls.context, environment=environment, emit=plant)
        assert parts(await calls.exec("echo fine"))[2] == "fine\n"

    async def plant(msg: EventMsg) -> None:
        await emitted(msg)
        shell = planted / "bash"
        shell.write_text("#!/bin/sh\necho planted\n")
        shell.chmod(0o755)

    run(desk, body)
    assert begins(emitted)[0].command == ["bash", "-lc", "echo fine"]


def test_a_confined_command_has_the_permissions_of_the_turn(
    desk: Desk, emitted: Emitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox: Any = SimpleNamespace(mechanism="landlock", terminate=terminate_group)
    found = Detection((Finding("landlock", sandbox, "here"),))
    monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: found)
    policy = WorkspaceWrite()
    given: list[Any] = []

    @asynccontextmanager
    async def confined(*arguments: Any, **options: Any) -> AsyncIterator[subprocess.Popen[bytes]]:
        given.extend(arguments)
        await options["on_changed"]([Path("/w/hook")])
        refused = "echo \"touch: cannot touch '/x': Permission denied\"; exit 1"
        yield start_command(["sh", "-c", refused], desk.cwd, {"PATH": os.defpath}, (), options["streams"])

    monkeypatch.setattr("code_core.tools.terminal_session.confined_process", confined)

    async def body(calls: Calls) -> None:
        output = await calls.exec("touch /x; cat", call_id="denied")
        assert "Permission denied" in output.text
        assert "rejected by user" in output.text

    desk.user.decision = ReviewDecision.DENIED
    run(desk, body, sandbox_policy=policy, approval_policy=AskForApproval.ON_REQUEST)
    assert given[0] is sandbox
    assert desk.cwd in given[2].writable
    (question,) = desk.user.questions
    assert question.reason == "it failed in the sandbox; run it again outside the sandbox"
    (warning,) = (event for event in emitted.events if isinstance(event, WarningEvent))
    assert warning.message.startswith("the command changed /w/hook: ")


def test_a_running_confined_command_is_listed_as_confined(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Detection(
        (Finding("landlock", SimpleNamespace(mechanism="landlock", terminate=terminate_group), "here"),)
    )
    monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: found)

    @asynccontextmanager
    async def confined(*_arguments: Any, **options: Any) -> AsyncIterator[subprocess.Popen[bytes]]:
        yield start_command(["sleep", "60"], desk.cwd, {"PATH": os.defpath}, (), options["streams"])

    monkeypatch.setattr("code_core.tools.terminal_session.confined_process", confined)

    async def body(calls: Calls) -> None:
        await calls.exec("serve", yield_time_ms=1)
        assert [one.confined for one in calls.terminals.listing().terminals] == [True]

    run(desk, body, sandbox_policy=WorkspaceWrite(), approval_policy=AskForApproval.ON_REQUEST)
