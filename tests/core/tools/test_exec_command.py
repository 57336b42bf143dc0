"""Commands that outlive a call, under each sandbox and without one."""

import json
import os
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.events import EventMsg
from code_core.protocol.items import FunctionCall
from code_core.protocol.policies import AskForApproval, DangerFullAccess, ReadOnly, WorkspaceWrite
from code_core.sandbox.sandbox import Mechanism
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.exec_command import ExecCommand, WriteStdin
from code_core.tools.shell import Shell
from code_core.tools.terminals import MOST, Terminals
from code_core.tools.tool import ToolContext, ToolOutput
from core.tools.conftest import Emitted


class Terminal:
    """The two tools, as a model calls them."""

    def __init__(self, context: ToolContext, terminals: Terminals) -> None:
        self.context = replace(context, terminals=terminals)
        self.terminals = terminals
        self._exec = ExecCommand(Shell(ApplyPatch(None)))
        self._write = WriteStdin(self._exec)
        self._calls = 0

    async def exec(self, cmd: str, **more: Any) -> ToolOutput:
        self._calls += 1
        arguments = json.dumps({"cmd": cmd, **more})
        call = FunctionCall(name="exec_command", arguments=arguments, call_id=f"c{self._calls}")
        return await self._exec.call(call, self.context)

    async def write(self, session_id: int, chars: str = "", **more: Any) -> ToolOutput:
        self._calls += 1
        arguments = json.dumps({"session_id": session_id, "chars": chars, **more})
        call = FunctionCall(name="write_stdin", arguments=arguments, call_id=f"c{self._calls}")
        return await self._write.call(call, self.context)

    async def until(self, session_id: int, expected: str, chars: str = "") -> None:
        """Type, and read its output up to and including `expected`, for at most 10 seconds."""
        seen = ""
        with anyio.fail_after(10):
            while expected not in seen:
                seen += (await self.write(session_id, chars, yield_time_ms=250)).text
                chars = ""


Body = Callable[[Terminal], Awaitable[None]]


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code_core.tools.exec_commands.POLL_WAIT", 250)


def run(context: ToolContext, body: Body, mechanism: Mechanism | None = None) -> None:
    policy = DangerFullAccess() if mechanism is None else WorkspaceWrite(exclude_slash_tmp=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(context.cwd)}
    context = replace(context, sandbox_policy=policy, environment=environment)

    async def main() -> None:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                terminals = Terminals()
                terminals.serve(tasks, context.emit)
                await body(Terminal(context, terminals))
                tasks.cancel_scope.cancel()

    anyio.run(main)


def running(mark: str) -> list[str]:
    """The processes with `mark` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0] if words else "Z"
        except OSError:
            continue
        if mark.encode() in words and state != "Z":
            found.append(entry.name)
    return found


def is_gone(mark: str) -> bool:
    """Whether nothing with `mark` runs, after giving the kernel a moment to end a sandbox's namespace."""
    late = time.monotonic() + 2
    while running(mark) and time.monotonic() < late:
        time.sleep(0.01)
    return not running(mark)


def test_a_command_that_ends_in_time_has_its_exit_code(
    tool_context: ToolContext, mechanism: Mechanism | None, emitted: Emitted
) -> None:
    async def body(terminal: Terminal) -> None:
        output = await terminal.exec("echo out; echo err >&2; exit 3")
        assert not output.success
        assert "Process exited with code 3\nOutput:\nout\nerr\n" in output.text
        killed = await terminal.exec("kill -9 $$")
        assert "exited with code 137" in killed.text
        assert terminal.terminals.listing().terminals == []

    run(tool_context, body, mechanism)
    assert emitted.kinds.count("exec_command_begin") == emitted.kinds.count("exec_command_end") == 2
    assert "terminals_changed" not in emitted.kinds


def test_an_interactive_shell_receives_keys(tool_context: ToolContext, mechanism: Mechanism | None) -> None:
    async def body(terminal: Terminal) -> None:
        begun = await terminal.exec("PS1='> ' bash --norc -i", tty=True, yield_time_ms=1000)
        assert "Process running with session ID 1" in begun.text
        assert "no job control" not in begun.text
        await terminal.until(1, "40 120", "stty size; sleep 1000\n")
        await terminal.until(1, "^C", "\x03")
        await terminal.until(1, "code 130", "echo code $?\n")
        await terminal.write(1, "sleep 1000\n")
        await terminal.until(1, "Stopped", "\x1a")
        await terminal.write(1, "kill %1; cat\n")
        await terminal.until(1, "é", "é\n\x04")
        ended = await terminal.write(1, "exit 7\n", yield_time_ms=10_000)
        assert "exited with code 7" in ended.text
        assert "there is no session 1" in (await terminal.write(1)).text

    run(tool_context, body, mechanism)


@pytest.mark.parametrize("tty", [True, False])
@pytest.mark.parametrize("ending", ["stop", "close", "exit"])
def test_no_process_of_a_session_is_left(
    tool_context: ToolContext, mechanism: Mechanism | None, ending: str, tty: bool
) -> None:
    mark = f"10{time.time_ns() % 10**9}"
    hidden = f"nohup setsid sleep {mark} >/dev/null 2>&1 & (trap '' TERM HUP INT; exec sleep {mark}) & sleep {mark} &"
    wait = "sleep 2" if ending == "exit" else "sleep 1000"

    async def body(terminal: Terminal) -> None:
        await terminal.exec(f"{hidden} {wait}", tty=tty, yield_time_ms=1000)
        session = terminal.terminals.find(1)
        assert session is not None
        assert len(running(mark)) == 3 or mechanism == "bwrap"
        if ending == "stop":
            assert terminal.terminals.stop(1)
        if ending != "close":
            await session.finished.wait()
            assert is_gone(mark)

    run(tool_context, body, mechanism)
    assert is_gone(mark)


def test_a_server_outlives_its_call(tool_context: ToolContext, mechanism: Mechanism | None) -> None:
    # Over a file, because commands in a sandbox cannot listen.
    server = "while read line < pipe; do echo served $line; done"

    async def body(terminal: Terminal) -> None:
        await terminal.exec("mkfifo pipe")
        assert "running" in (await terminal.exec(server, yield_time_ms=250)).text
        await terminal.exec("echo 1 > pipe")
        with anyio.fail_after(10):
            while "served 1" not in (await terminal.write(2)).text:
                pass

    run(tool_context, body, mechanism)


def test_equal_polls_of_a_running_command_have_different_fingerprints(tool_context: ToolContext) -> None:
    async def body(terminal: Terminal) -> None:
        await terminal.exec("sleep 1000", tty=True, yield_time_ms=250)
        looks = [(await terminal.write(1)).fingerprint for _ in range(5)]
        assert len(set(looks)) == 5

    run(tool_context, body)


def test_a_flood_of_output_takes_little_memory(
    tool_context: ToolContext, mechanism: Mechanism | None
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def body(terminal: Terminal) -> None:
        flood = "head -c 128M /dev/zero | tr '\\0' x; echo; echo the end"
        output = await terminal.exec(flood, yield_time_ms=30_000)
        while "running" in output.text:
            output = await terminal.write(1, yield_time_ms=30_000)
        assert "older bytes were dropped" in output.text
        assert "the end" in output.text
        assert len(output.text) < 50_000

    async def forget(msg: EventMsg) -> None:
        del msg

    run(replace(tool_context, emit=forget), body, mechanism)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_flood_through_a_terminal_takes_little_memory_and_can_be_stopped(
    tool_context: ToolContext, mechanism: Mechanism | None
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def body(terminal: Terminal) -> None:
        output = await terminal.exec("tr '\\0' x < /dev/zero", tty=True, yield_time_ms=1_000)
        assert "running with session ID 1" in output.text
        assert len(output.text) < 50_000
        ended = await terminal.write(1, "\x03", yield_time_ms=10_000)
        assert "exited with code 130" in ended.text

    async def forget(msg: EventMsg) -> None:
        del msg

    run(replace(tool_context, emit=forget), body, mechanism)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_too_many_commands_are_rejected(tool_context: ToolContext) -> None:
    async def body(terminal: Terminal) -> None:
        for _ in range(MOST):
            await terminal.exec("sleep 1000", yield_time_ms=1)
        assert "64 commands are running" in (await terminal.exec("true")).text
        terminal.terminals.stop()
        first = terminal.terminals.find(1)
        assert first is not None
        await first.finished.wait()
        assert "exited with code 0" in (await terminal.exec("true")).text

    # The calls need not wait, because only the number of commands matters.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("code_core.tools.exec_commands.EXEC_LEAST", 1)
        run(tool_context, body)


def test_input_is_rejected_if_the_program_has_more_permissions_than_the_turn(
    tool_context: ToolContext,
) -> None:
    async def body(terminal: Terminal) -> None:
        await terminal.exec("cat", tty=True, yield_time_ms=250)
        assert "x" in (await terminal.write(1, "x\n")).text
        terminal.context = replace(terminal.context, sandbox_policy=ReadOnly())
        assert "input rejected" in (await terminal.write(1, "y\n")).text
        assert "exited with code 130" in (await terminal.write(1, "\x03", yield_time_ms=5000)).text

    run(tool_context, body)


def test_under_untrusted_input_needs_approval(tool_context: ToolContext, emitted: Emitted) -> None:
    async def body(terminal: Terminal) -> None:
        await terminal.exec("cat", tty=True, yield_time_ms=250)
        terminal.context = replace(terminal.context, approval_policy=AskForApproval.UNTRUSTED)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(terminal.write, 1, "rm x\n")
            with anyio.fail_after(10):
                while "exec_approval_request" not in emitted.kinds:
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        [question] = [event for event in emitted.events if event.type == "exec_approval_request"]
        assert question.command == ["write_stdin", "1", "rm x\n"]

    run(tool_context, body)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"cmd": ""}, "failed to parse function arguments: cmd"),
        ({"cmd": "true", "workdir": "missing"}, "does not exist"),
        ({"cmd": "git reset --hard"}, "confirm:"),
        ({"cmd": "true", "workdir": "a\0b"}, "NUL"),
    ],
)
def test_a_command_that_cannot_run_is_answered(
    tool_context: ToolContext, arguments: dict[str, str], answer: str
) -> None:
    async def body(terminal: Terminal) -> None:
        output = await terminal.exec(**arguments)
        assert answer in output.text
        assert not output.success
        assert terminal.terminals.listing().terminals == []

    run(tool_context, body)


def test_an_interrupt_ends_the_awaited_command(tool_context: ToolContext) -> None:
    async def body(terminal: Terminal) -> None:
        with anyio.move_on_after(0.5):
            await terminal.exec("echo begun; sleep 1000")
        assert "begun" in terminal.context.interrupted["c1"].text
        assert terminal.terminals.listing().terminals == []

    run(tool_context, body)


def test_an_interrupted_call_ends_once(tool_context: ToolContext, emitted: Emitted) -> None:
    async def body(terminal: Terminal) -> None:
        await terminal.exec("cat", tty=True, yield_time_ms=250)
        for call in (partial(terminal.write, 1), partial(terminal.exec, "sleep 1000")):
            with anyio.move_on_after(0.5):
                await call(yield_time_ms=10_000)

    run(tool_context, body)
    assert emitted.kinds.count("exec_command_begin") == emitted.kinds.count("exec_command_end") == 3


def test_a_patch_in_a_script_is_applied(tool_context: ToolContext) -> None:
    async def body(terminal: Terminal) -> None:
        patch = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: new\n+text\n*** End Patch\nEOF\n"
        assert (await terminal.exec(patch)).success
        assert (terminal.context.cwd / "new").read_text() == "text\n"

    run(tool_context, body)
