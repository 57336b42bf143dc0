"""Runs one command for the model and reports its progress.

The output has the 2025 format: JSON `{"output", "metadata": {"exit_code", "duration_seconds"}}`.
"""

import base64
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio

from code_core.frozen import frozen
from code_core.process.capture import Capture
from code_core.process.guardian import ended, start_guarded
from code_core.process.spawn import Exit, OnOutput, SpawnError, Stream, exit_code, follow
from code_core.protocol.duration import Duration
from code_core.protocol.events import ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta, WarningEvent
from code_core.protocol.policies import ReadOnly
from code_core.safety.known_safe import Reading, reading
from code_core.tools.command_permission import CommandRequest
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.view.parsed_command import parsed_command

if TYPE_CHECKING:
    from code_core.sandbox.confinement import Confinement
    from code_core.sandbox.run import OnStart
    from code_core.sandbox.sandbox import Mechanism, Sandbox

MAX_DELTAS = 10_000
MOST_SHOWN = 5
INTERRUPTED_EXIT_CODE = 130
INTERRUPTED = "command interrupted by the user"


@frozen
class CommandResult:
    """How a command ended; `denied` if the sandbox denied it something."""

    output: ToolOutput
    denied: bool = False


async def run_shell_command(
    request: CommandRequest,
    time_limit: float,
    context: ToolContext,
    sandbox: "Sandbox | None" = None,
    *,
    source: Literal["agent", "user"] = "agent",
) -> CommandResult:
    """Run the command to its end, confined to the turn's policy if there is a `sandbox`, and report it.

    A cancelled command is reported with its running time and exit status; the output so far is
    stored in `context.interrupted`.
    """
    call_id, command, cwd = request.call_id, list(request.argv), request.cwd
    whole = Capture(context.output_limit, context.output_file(call_id))
    streams: dict[Stream, Capture] = {
        "stdout": Capture(context.output_limit),
        "stderr": Capture(context.output_limit),
    }
    deltas = 0
    confinement = None if sandbox is None else await confinement_for(context)

    async def on_output(stream: Stream, chunk: bytes) -> None:
        nonlocal deltas
        whole.write(chunk)
        streams[stream].write(chunk)
        deltas += 1
        if deltas <= MAX_DELTAS:
            encoded = base64.b64encode(chunk).decode("ascii")
            await context.emit(ExecCommandOutputDelta(call_id=call_id, stream=stream, chunk=encoded))

    if source == "agent" and may_write(request, context, sandbox):
        await context.before_command()
    await context.emit(
        ExecCommandBegin(
            call_id=call_id,
            command=command,
            cwd=cwd,
            parsed_cmd=parsed_command(command),
            source=source,
        )
    )
    started = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        end = await _run(
            request,
            time_limit,
            on_output,
            context,
            sandbox,
            confinement,
            processes.append,
        )
    except SpawnError as error:
        await on_output("stderr", str(error).encode())
        end = Exit(error.exit_code, 0.0)
    except anyio.get_cancelled_exc_class():
        code = exit_code(processes[0]) if processes else None
        end = Exit(INTERRUPTED_EXIT_CODE if code is None else code, time.perf_counter() - started)
        context.interrupted[call_id] = _output(end, f"{INTERRUPTED}\n{whole.text()}")
        with anyio.CancelScope(shield=True):  # emitting never waits, but must not be cancelled either
            await _emit_end(call_id, streams, end, INTERRUPTED, context)
        raise
    finally:
        whole.close()
    text = whole.text()
    notice = f"command timed out after {time_limit * 1000:.0f} milliseconds" if end.timed_out else ""
    if notice:
        text = f"{notice}\n{text}"
    await _emit_end(call_id, streams, end, notice, context)
    output = _output(end, text)
    denied = (
        confinement is not None and not end.timed_out and was_denied(end, text, cwd, confinement, context)
    )
    return CommandResult(output, denied=denied)


def may_write(request: CommandRequest, context: ToolContext, sandbox: "Sandbox | None") -> bool:
    """Whether the command may change the user's files."""
    if sandbox is not None and isinstance(context.sandbox_policy, ReadOnly):
        return False
    return reading(request.parts) is not Reading.ALWAYS


def _output(end: Exit, text: str) -> ToolOutput:
    result = {"output": text, "metadata": {"exit_code": end.code, "duration_seconds": round(end.seconds, 1)}}
    return ToolOutput(
        json.dumps(result, ensure_ascii=False), success=end.code == 0, fingerprint=f"{end.code}\n{text}"
    )


async def confinement_for(context: ToolContext) -> "Confinement":
    """Return the permissions that the turn's policy gives a command."""
    return await anyio.to_thread.run_sync(_confinement, context)


def _confinement(context: ToolContext) -> "Confinement":
    from code_core.sandbox.confinement import confinement_of  # in a thread

    return confinement_of(context.sandbox_policy, context.cwd, context.home, context.environment)


def was_denied(end: Exit, text: str, cwd: Path, confinement: "Confinement", context: ToolContext) -> bool:
    """Whether a command ended the way it does when the sandbox denied it something."""
    if end.code == 0:
        return False
    from code_core.safety.denial import denied_by_sandbox

    # Commands may print the working directory with symlinks in it.
    roots = (*confinement.writable, context.cwd) if confinement.writable else ()
    protected = (*confinement.protected, *confinement.absent)
    return denied_by_sandbox(
        end.code, text, cwd=cwd, writable=roots, protected=protected, network=confinement.network
    )


async def _run(
    request: CommandRequest,
    time_limit: float,
    on_output: OnOutput,
    context: ToolContext,
    sandbox: "Sandbox | None",
    confinement: "Confinement | None",
    on_start: "OnStart",
) -> Exit:
    """Start the command, or the program that confines it; `on_start` receives the process.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    command, cwd, environment = request.run or request.argv, request.cwd, context.environment
    if sandbox is None or confinement is None:
        process = start_guarded(command, cwd, environment, program=request.program)
        on_start(process)
        try:
            return await follow(process, time_limit=time_limit, on_output=on_output)
        finally:
            ended(process)
    from code_core.sandbox.run import run_confined  # commands with full access do not need it

    return await run_confined(
        sandbox,
        command,
        confinement,
        cwd,
        environment,
        time_limit=time_limit,
        on_start=on_start,
        on_output=on_output,
        on_changed=partial(report_changed, context=context, sandbox=sandbox),
    )


async def report_changed(paths: Sequence[Path], *, context: ToolContext, sandbox: "Sandbox | None") -> None:
    """Warn about protected files that a confined command changed anyway."""
    if sandbox is not None:
        await context.emit(WarningEvent(message=_changed_notice(paths, sandbox.mechanism)))


def _changed_notice(paths: Sequence[Path], mechanism: "Mechanism") -> str:
    shown = ", ".join(map(str, paths[:MOST_SHOWN]))
    more = f" and {len(paths) - MOST_SHOWN} more" if len(paths) > MOST_SHOWN else ""
    return (
        f"the command changed {shown}{more}: check it before you use git or this agent again "
        f"({mechanism} cannot protect it{'; bubblewrap can' if mechanism == 'landlock' else ''})"
    )


async def _emit_end(
    call_id: str, streams: Mapping[Stream, Capture], end: Exit, notice: str, context: ToolContext
) -> None:
    stderr = "\n".join(part for part in (streams["stderr"].text(), notice) if part)
    await context.emit(
        ExecCommandEnd(
            call_id=call_id,
            stdout=streams["stdout"].text(),
            stderr=stderr,
            exit_code=end.code,
            duration=Duration.of(end.seconds),
        )
    )
