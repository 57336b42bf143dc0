"""Carries out calls of `exec_command` and `write_stdin`."""

import base64
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
from pydantic import BaseModel, ConfigDict, Field

from code_core.process.capture import Capture
from code_core.process.spawn import SpawnError
from code_core.protocol.duration import Duration
from code_core.protocol.events import ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.protocol.policies import AskForApproval, DangerFullAccess, ReadOnly
from code_core.safety.planning import NOTHING_CHANGES
from code_core.sandbox.sandbox import Sandbox
from code_core.tools.approver import CommandQuestion
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.command_permission import CommandRequest
from code_core.tools.command_run import (
    INTERRUPTED,
    MAX_DELTAS,
    CommandResult,
    confinement_for,
    may_write,
    report_changed,
    was_denied,
)
from code_core.tools.shell_commands import CommandCall, ShellCommands
from code_core.tools.terminal_session import TerminalCommand, TerminalSession, bounded
from code_core.tools.terminals import Terminals, TooManyTerminals
from code_core.tools.tool import ToolContext, ToolOutput, refusal
from code_core.view.parsed_command import parsed_command
from code_core.view.terminal_text import plain_text

EXEC_WAIT, EXEC_LEAST, LONGEST_WAIT = 10_000, 250, 30_000
WRITE_WAIT, POLL_WAIT, LONGEST_POLL = 250, 5_000, 300_000
STOP_SECONDS = 30.0
"""Time limit for the end of a command that was stopped."""
LONGEST_INPUT = 65_536
BYTES_PER_TOKEN = 4
INTERRUPT_KEY = "\x03"
TERMINAL = "xterm-256color"


class _ExecArguments(BaseModel):
    model_config = ConfigDict(defer_build=True)

    cmd: str = Field(min_length=1)
    workdir: str | None = None
    tty: bool = False
    yield_time_ms: float | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    with_escalated_permissions: bool = False
    justification: str | None = None


class _WriteArguments(BaseModel):
    model_config = ConfigDict(defer_build=True)

    session_id: int
    chars: str = Field("", max_length=LONGEST_INPUT)
    yield_time_ms: float | None = None
    max_output_tokens: int | None = Field(None, ge=1)


class ExecCommands:
    """Carries out calls on sessions, with the same permission checks as `shell`."""

    def __init__(self, commands: ShellCommands) -> None:
        self._commands = commands

    async def execute(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Carry out a call of `exec_command`."""
        if not isinstance(call, FunctionCall):
            return ToolOutput("exec_command takes JSON arguments", success=False)
        try:
            arguments = parse_arguments(_ExecArguments, call.arguments)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        if context.terminals is None:
            return ToolOutput("commands cannot outlive a call here: use shell", success=False)
        command = CommandCall(
            call.call_id,
            ["bash", "-lc", arguments.cmd],
            arguments.workdir,
            arguments.with_escalated_permissions,
            arguments.justification,
        )
        run = partial(_run, arguments=arguments, context=context, terminals=context.terminals)
        return await self._commands.carry_out(command, context, run)

    async def write(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Carry out a call of `write_stdin`."""
        if not isinstance(call, FunctionCall):
            return ToolOutput("write_stdin takes JSON arguments", success=False)
        try:
            arguments = parse_arguments(_WriteArguments, call.arguments)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        terminals = context.terminals
        session = None if terminals is None else terminals.find(arguments.session_id)
        if terminals is None or session is None:
            running = "; ".join(() if terminals is None else terminals.shown()) or "none"
            return ToolOutput(
                f"there is no session {arguments.session_id}: it has ended or never existed. Running: {running}",
                success=False,
            )
        if arguments.chars and session.end is None:
            if not session.command.tty:
                if arguments.chars != INTERRUPT_KEY:
                    return ToolOutput(
                        r"this session accepts no input except \u0003: start it with tty=true to type into it",
                        success=False,
                    )
            elif (refused := await _may_type(session, arguments.chars, call.call_id, context)) is not None:
                return refused
        return await _talk(session, call.call_id, arguments, context, terminals)


async def _run(
    request: CommandRequest,
    sandbox: Sandbox | None,
    *,
    arguments: _ExecArguments,
    context: ToolContext,
    terminals: Terminals,
) -> CommandResult:
    """Start the command and wait until it ends or continues in the background."""
    environment = dict(context.environment)
    if arguments.tty and environment.get("TERM", "dumb") == "dumb":
        environment["TERM"] = TERMINAL
    confinement = None if sandbox is None else await confinement_for(context)
    command = TerminalCommand(
        command=list(request.argv),
        argv=list(request.run or request.argv),
        cwd=request.cwd,
        environment=environment,
        tty=arguments.tty,
        policy=None if sandbox is None else context.sandbox_policy,
        sandbox=sandbox,
        confinement=confinement,
    )
    try:
        session = TerminalSession(
            terminals.new_id(),
            command,
            Capture(context.output_limit, context.output_file(request.call_id)),
            partial(report_changed, context=context, sandbox=sandbox),
        )
    except TooManyTerminals as error:
        return CommandResult(ToolOutput(str(error), success=False))
    if may_write(request, context, sandbox):
        await context.before_command()
    watch = _Watch(request.call_id, context)
    await watch.begin(session)
    try:
        session.on_chunk = watch
        await terminals.start(session)
        await session.wait(bounded(arguments.yield_time_ms, EXEC_WAIT, EXEC_LEAST, LONGEST_WAIT))
    except SpawnError as error:
        await watch(str(error).encode())
        await watch.end(error.exit_code)
        return CommandResult(
            _sections(str(error), 0.0, f"Process exited with code {error.exit_code}", ok=False)
        )
    except anyio.get_cancelled_exc_class():
        session.stop()
        with anyio.CancelScope(shield=True):
            await session.wait(STOP_SECONDS)
            terminals.forget(session)
            output = _result(session, watch, arguments.max_output_tokens, context)
            context.interrupted[request.call_id] = replace(output, text=f"{INTERRUPTED}\n{output.text}")
            await watch.end(130, INTERRUPTED)
        raise
    finally:
        session.on_chunk = None
    output = _result(session, watch, arguments.max_output_tokens, context)
    if session.end is None:
        await watch.end(0, session_id=session.id)
        await terminals.outlive(session)
        return CommandResult(output)
    terminals.forget(session)
    await watch.end(session.end.code)
    denied = confinement is not None and was_denied(
        session.end, output.text, request.cwd, confinement, context
    )
    return CommandResult(output, denied=denied)


async def _talk(
    session: TerminalSession,
    call_id: str,
    arguments: _WriteArguments,
    context: ToolContext,
    terminals: Terminals,
) -> ToolOutput:
    """Type, wait and read."""
    typed = arguments.chars if session.end is None else ""
    if typed and not isinstance(session.command.policy, ReadOnly):
        await context.before_command()
    watch = _Watch(call_id, context, typed)
    await watch.begin(session)
    note = ""
    try:
        session.on_chunk = watch
        if typed and not session.command.tty:
            session.stop()
        elif typed:
            data = typed.encode()
            if (taken := await session.write(data)) < len(data):
                note = f"[The program read only {taken:,} of {len(data):,} bytes.]\n"
        if typed:
            seconds = bounded(arguments.yield_time_ms, WRITE_WAIT, WRITE_WAIT, LONGEST_WAIT)
        else:
            seconds = bounded(arguments.yield_time_ms, POLL_WAIT, POLL_WAIT, LONGEST_POLL)
        await session.wait(seconds)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await watch.end(130, INTERRUPTED, session_id=session.id)
        raise
    finally:
        session.on_chunk = None
    output = _result(session, watch, arguments.max_output_tokens, context)
    if session.end is None:
        await watch.end(0, session_id=session.id)
    else:
        terminals.forget(session)
        await watch.end(session.end.code)
        if typed != arguments.chars:
            note = "[It ended before anything was typed.]\n"
    return replace(output, text=f"{note}{output.text}")


async def _may_type(
    session: TerminalSession, chars: str, call_id: str, context: ToolContext
) -> ToolOutput | None:
    """Return the answer to the model if the program has permissions that the turn lacks."""
    policy = session.command.policy or DangerFullAccess()
    asks = context.approval_policy is AskForApproval.UNTRUSTED
    if chars == INTERRUPT_KEY or (policy == context.sandbox_policy and not asks):
        return None
    reason = f"it would be typed into session {session.id}" + (
        ", which runs outside the sandbox" if session.command.policy is None else ""
    )
    if context.planning and policy != context.sandbox_policy:
        return ToolOutput(f"input rejected: {reason}, and {NOTHING_CHANGES}", success=False)
    if context.approval_policy is AskForApproval.NEVER:
        return ToolOutput(f"input rejected: {reason}, and the approval policy is never", success=False)
    question = CommandQuestion(
        call_id=call_id,
        argv=["write_stdin", str(session.id), chars],
        cwd=session.command.cwd,
        reason=reason,
        grant=None,
        sandboxed=session.command.policy is not None,
        escalated=session.command.policy is None,
    )
    return refusal("input", await context.approver.ask(question))


class _Watch:
    """Reports a call while it waits, and keeps the output for its end event."""

    def __init__(self, call_id: str, context: ToolContext, typed: str = "") -> None:
        self._call_id = call_id
        self._context = context
        self._typed = typed
        self._seen = Capture(context.output_limit)
        self._deltas = 0
        self.started = time.perf_counter()

    async def begin(self, session: TerminalSession) -> None:
        command = list(session.command.command)
        await self._context.emit(
            ExecCommandBegin(
                call_id=self._call_id,
                command=command,
                cwd=Path(session.command.cwd),
                parsed_cmd=parsed_command(command),
                session_id=session.id,
                input=self._typed or None,
            )
        )

    async def __call__(self, chunk: bytes) -> None:
        self._seen.write(chunk)
        for start in range(0, len(chunk), 8192):
            self._deltas += 1
            if self._deltas <= MAX_DELTAS:
                part = base64.b64encode(chunk[start : start + 8192]).decode("ascii")
                await self._context.emit(
                    ExecCommandOutputDelta(call_id=self._call_id, stream="stdout", chunk=part)
                )

    async def end(self, code: int, problem: str = "", session_id: int | None = None) -> None:
        await self._context.emit(
            ExecCommandEnd(
                call_id=self._call_id,
                stdout=plain_text(self._seen.text()),
                stderr=problem,
                exit_code=code,
                duration=Duration.of(time.perf_counter() - self.started),
                session_id=session_id,
            )
        )


def _result(
    session: TerminalSession, watch: _Watch, max_tokens: int | None, context: ToolContext
) -> ToolOutput:
    """The output for the model: the status of the command and its output since the last call."""
    text, dropped = session.take()
    text = plain_text(text) if session.command.tty else text
    limit = min(context.output_limit, (max_tokens or context.output_limit) * BYTES_PER_TOKEN)
    cut = Capture(limit)
    cut.write(text.encode())
    shown = cut.text()
    if dropped:
        shown = f"[… {dropped:,} older bytes were dropped …]\n{shown}"
    if (dropped or cut.total > limit) and (where := session.whole.kept_in) is not None:
        shown = f"{shown}\n[The whole output is in {where}]"
    seconds = time.perf_counter() - watch.started
    if session.end is None:
        session.polls += 1
        status = f"Process running with session ID {session.id}"
        # Polling a running command is not repetition, even when nothing has changed.
        return replace(_sections(shown, seconds, status), fingerprint=f"{session.id} at look {session.polls}")
    code = session.end.code
    ended = _sections(shown, seconds, f"Process exited with code {code}", ok=code == 0)
    return replace(ended, fingerprint=f"{code}\n{shown}")


def _sections(text: str, seconds: float, status: str, *, ok: bool = True) -> ToolOutput:
    return ToolOutput(f"Wall time: {seconds:.1f} seconds\n{status}\nOutput:\n{text}", success=ok)
