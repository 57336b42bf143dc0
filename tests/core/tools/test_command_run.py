"""One command from start to end: what the model gets, and what the user sees while it runs."""

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest

from code_core.process.spawn import Exit
from code_core.protocol.events import ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta, WarningEvent
from code_core.protocol.policies import DangerFullAccess, ReadOnly, WorkspaceWrite
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import detect
from code_core.sandbox.sandbox import Sandbox
from code_core.tools import command_run
from code_core.tools.command_permission import CommandRequest
from code_core.tools.command_run import CommandResult, report_changed, run_shell_command, was_denied
from code_core.tools.tool import ToolContext
from core.tools.conftest import Emitted

SANDBOX = detect().sandbox
confined = pytest.mark.skipif(SANDBOX is None, reason=f"no sandbox here: {detect()}")
WORKSPACE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


@pytest.fixture
def context(tool_context: ToolContext) -> ToolContext:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tool_context.cwd)}
    return replace(tool_context, environment=environment, sandbox_policy=DangerFullAccess())


def script(text: str, context: ToolContext, **more: Any) -> CommandRequest:
    return CommandRequest("c1", ("sh", "-c", text), context.cwd, **more)


def run(
    request: CommandRequest,
    context: ToolContext,
    sandbox: Sandbox | None = None,
    *,
    seconds: float = 20,
    source: Literal["agent", "user"] = "agent",
) -> CommandResult:
    async def main() -> CommandResult:
        return await run_shell_command(request, seconds, context, sandbox, source=source)

    return anyio.run(main)


def answer(result: CommandResult) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = json.loads(result.output.text)
    return answer


def test_a_command_is_reported_and_answered(context: ToolContext, emitted: Emitted) -> None:
    result = run(script("echo é; sleep 0.3; echo problem >&2; exit 3", context), context)
    assert set(answer(result)) == {"output", "metadata"}
    assert answer(result)["output"] == "é\nproblem\n"
    assert answer(result)["metadata"] == {
        "exit_code": 3,
        "duration_seconds": pytest.approx(0.3, abs=20),
    }
    assert answer(result)["metadata"]["duration_seconds"] > 0
    assert "é" in result.output.text
    assert (result.output.success, result.output.fingerprint) == (False, "3\né\nproblem\n")
    assert not result.denied
    begin, *deltas, end = emitted.events
    assert isinstance(begin, ExecCommandBegin)
    assert (begin.call_id, begin.cwd, begin.source) == ("c1", context.cwd, "agent")
    assert begin.command == ["sh", "-c", "echo é; sleep 0.3; echo problem >&2; exit 3"]
    assert begin.parsed_cmd != []
    assert isinstance(end, ExecCommandEnd)
    assert (end.call_id, end.stdout, end.stderr, end.exit_code) == ("c1", "é\n", "problem\n", 3)
    assert 0.2 <= end.duration.seconds < 60
    texts: dict[str, bytes] = {}
    for delta in deltas:
        assert isinstance(delta, ExecCommandOutputDelta)
        assert delta.call_id == "c1"
        texts[delta.stream] = texts.get(delta.stream, b"") + base64.b64decode(delta.chunk)
    assert texts == {"stdout": "é\n".encode(), "stderr": b"problem\n"}


def test_a_command_that_succeeds_is_a_success(context: ToolContext, emitted: Emitted) -> None:
    result = run(script("echo done", context), context, source="user")
    assert (result.output.success, result.output.fingerprint) == (True, "0\ndone\n")
    begin = emitted.events[0]
    assert isinstance(begin, ExecCommandBegin)
    assert begin.source == "user"


def test_the_program_that_was_checked_is_started(context: ToolContext) -> None:
    request = CommandRequest("c1", ("planted", "x"), context.cwd, run=("/bin/echo", "judged"))
    assert answer(run(request, context))["output"] == "judged\n"


def test_a_flood_causes_a_limited_number_of_events(
    context: ToolContext, emitted: Emitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_run, "MAX_DELTAS", 2)
    result = run(script("for i in 1 2 3 4; do echo $i; sleep 0.1; done", context), context)
    assert answer(result)["output"] == "1\n2\n3\n4\n"
    assert emitted.kinds.count("exec_command_output_delta") == 2


def test_a_long_output_is_cut_and_saved_in_a_file(context: ToolContext, emitted: Emitted) -> None:
    context = replace(context, output_limit=200)
    result = run(script("seq 1000; seq 1000 >&2", context), context)
    end = emitted.events[-1]
    assert isinstance(end, ExecCommandEnd)
    kept = context.output_file("c1")
    assert str(kept) in answer(result)["output"]
    assert len(kept.read_text().split()) == 2000
    for text in (answer(result)["output"], end.stdout, end.stderr):
        assert len(text) < 500
        assert text.startswith("1\n2\n")
    assert list(context.outputs.iterdir()) == [kept]


def test_a_missing_program_is_reported_as_an_end(context: ToolContext, emitted: Emitted) -> None:
    result = run(CommandRequest("c1", ("no-such-program",), context.cwd), context)
    assert answer(result)["metadata"] == {"exit_code": 127, "duration_seconds": 0.0}
    assert "no-such-program" in answer(result)["output"]
    end = emitted.events[-1]
    assert isinstance(end, ExecCommandEnd)
    assert "no-such-program" in end.stderr
    assert emitted.kinds == ["exec_command_begin", "exec_command_output_delta", "exec_command_end"]


def test_a_command_that_takes_too_long_is_ended_and_reported(context: ToolContext, emitted: Emitted) -> None:
    result = run(script("echo begun; echo problem >&2; exec sleep 60", context), context, seconds=0.5)
    notice = "command timed out after 500 milliseconds"
    assert answer(result)["output"].startswith(f"{notice}\n")
    assert "begun\n" in answer(result)["output"]
    assert not result.output.success
    end = emitted.events[-1]
    assert isinstance(end, ExecCommandEnd)
    assert (end.stdout, end.stderr) == ("begun\n", f"problem\n\n{notice}")
    assert end.duration.seconds >= 0.5


@pytest.mark.parametrize(
    ("text", "code"),
    [("echo begun; exec sleep 60", 143), ("trap '' TERM; echo begun; sleep 60 & wait; wait", 137)],
)
def test_an_interrupt_keeps_the_output_so_far(
    context: ToolContext, emitted: Emitted, text: str, code: int
) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:

            async def emit(msg: Any) -> None:
                await anyio.lowlevel.checkpoint()
                await emitted(msg)
                if msg.type == "exec_command_output_delta":
                    await anyio.sleep(0.2)
                    scope.cancel()

            await run_shell_command(script(text, context), 20, replace(context, emit=emit), None)
        assert scope.cancelled_caught

    anyio.run(main)
    output = context.interrupted["c1"]
    reply = json.loads(output.text)
    assert reply["output"] == "command interrupted by the user\nbegun\n"
    assert reply["metadata"]["exit_code"] == code
    assert 0.2 <= reply["metadata"]["duration_seconds"] < 60
    assert not output.success
    end = emitted.events[-1]
    assert isinstance(end, ExecCommandEnd)
    assert (end.stdout, end.stderr) == ("begun\n", "command interrupted by the user")
    assert end.exit_code == reply["metadata"]["exit_code"]
    assert 0.2 <= end.duration.seconds < 60


def test_a_command_interrupted_before_its_start_has_exit_code_130(
    context: ToolContext, emitted: Emitted
) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:

            async def emit(msg: Any) -> None:
                await emitted(msg)
                scope.cancel()

            await run_shell_command(script("true", context), 20, replace(context, emit=emit), SANDBOX)

    if SANDBOX is None:
        pytest.skip(f"no sandbox here: {detect()}")
    anyio.run(main)
    assert emitted.kinds == ["exec_command_begin", "exec_command_end"]
    assert json.loads(context.interrupted["c1"].text)["metadata"]["exit_code"] == 130


def test_files_are_saved_before_commands_that_may_change_them(context: ToolContext) -> None:
    kept: list[str] = []

    async def keep() -> None:
        kept.append("kept")

    context = replace(context, before_command=keep)
    run(script("true", context), context)
    assert kept == ["kept"]
    run(script("true", context), context, source="user")
    run(CommandRequest("c1", ("ls",), context.cwd, parts=(("ls",),)), context)
    assert kept == ["kept"]
    if SANDBOX is not None:
        run(script("true", context), replace(context, sandbox_policy=ReadOnly()), SANDBOX)
        assert kept == ["kept"]
        run(script("true", context), replace(context, sandbox_policy=WORKSPACE), SANDBOX)
        assert kept == ["kept", "kept"]
    run(script("true", context), replace(context, sandbox_policy=ReadOnly()))
    assert kept[-1] == "kept"
    assert len(kept) == (3 if SANDBOX is not None else 2)


@confined
def test_a_confined_command_reports_a_denial(context: ToolContext, emitted: Emitted) -> None:
    context = replace(context, sandbox_policy=ReadOnly())
    result = run(script("touch new", context), context, SANDBOX)
    assert result.denied
    assert not (context.cwd / "new").exists()
    assert not run(script("exit 3", context), context, SANDBOX).denied
    assert not run(script("touch new; exec sleep 60", context), context, SANDBOX, seconds=0.7).denied
    context = replace(context, sandbox_policy=WORKSPACE)
    assert run(script("touch new", context), context, SANDBOX).output.success
    assert (context.cwd / "new").exists()
    assert emitted.kinds.count("exec_command_end") == 4


def test_a_changed_protected_file_is_a_warning(
    context: ToolContext, emitted: Emitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ran(*_arguments: Any, on_changed: Any, **_options: Any) -> Exit:
        await on_changed([Path("/w/hook")])
        return Exit(0, 1.26)

    monkeypatch.setattr("code_core.sandbox.run.run_confined", ran)
    sandbox: Any = SimpleNamespace(mechanism="landlock")
    result = run(script("true", context), replace(context, sandbox_policy=WORKSPACE), sandbox)
    assert answer(result)["metadata"]["duration_seconds"] == 1.3
    (warning,) = (event for event in emitted.events if isinstance(event, WarningEvent))
    assert warning.message.startswith("the command changed /w/hook: ")


def test_the_program_that_was_looked_up_runs_under_its_name(context: ToolContext) -> None:
    other = replace(context, environment={"PATH": "/nowhere"})
    request = CommandRequest("c1", ("ls", "-c", "echo $0"), context.cwd, program="/bin/sh")
    assert answer(run(request, other))["output"] == "ls\n"


def test_the_guardian_learns_that_a_command_has_ended(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    over: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(command_run, "ended", over.append)
    run(script("exit 3", context), context)
    assert [process.returncode for process in over] == [3]


def test_a_warning_names_some_files_and_a_better_sandbox(context: ToolContext, emitted: Emitted) -> None:
    async def main() -> None:
        for count, mechanism in ((5, "landlock"), (6, "seatbelt")):
            sandbox: Any = SimpleNamespace(mechanism=mechanism)
            paths = [Path(f"/w/{number}") for number in range(count)]
            await report_changed(paths, context=context, sandbox=sandbox)
        await report_changed([Path("/w/x")], context=context, sandbox=None)

    anyio.run(main)
    first, second = (event.message for event in emitted.events if isinstance(event, WarningEvent))
    assert first == (
        "the command changed /w/0, /w/1, /w/2, /w/3, /w/4: check it before you use git or this agent again "
        "(landlock cannot protect it; bubblewrap can)"
    )
    assert second == (
        "the command changed /w/0, /w/1, /w/2, /w/3, /w/4 and 1 more: check it before you use git or this agent "
        "again (seatbelt cannot protect it)"
    )


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("touch: cannot touch '/w/x': Permission denied", False),
        ("touch: cannot touch '/link/x': Permission denied", False),
        ("touch: cannot touch '/other/x': Permission denied", True),
        ("touch: cannot touch '/w/closed/x': Permission denied", True),
        ("touch: cannot touch '/w/absent/x': Permission denied", True),
        ("curl: (6) Could not resolve host: example.com", True),
        ("touch: cannot touch 'x': Permission denied", False),
    ],
)
def test_a_denial_is_recognised_from_the_commands_permissions(
    context: ToolContext, text: str, denied: bool
) -> None:
    rights = Confinement(
        writable=(Path("/w"),), protected=(Path("/w/closed"),), absent=(Path("/w/absent"),), network=False
    )
    context = replace(context, cwd=Path("/link"))
    assert was_denied(Exit(1, 0.0), text, Path("/w"), rights, context) is denied
    assert not was_denied(Exit(0, 0.0), text, Path("/w"), rights, context)
    if "curl" in text:
        online = replace(rights, network=True)
        assert not was_denied(Exit(1, 0.0), text, Path("/w"), online, context)
    nothing = replace(rights, writable=(), protected=(), absent=())
    if "'" in text:
        assert was_denied(Exit(1, 0.0), text, Path("/w"), nothing, context)
