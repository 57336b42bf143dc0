"""`shell`: run one command and give its output back.

The output has the form of 2025: JSON `{"output", "metadata": {"exit_code", "duration_seconds"}}`.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from code_core.patch import ImplicitPatch, PatchCall, detect
from code_core.process.capture import Capture
from code_core.process.spawn import Exit, SpawnError, Stream, run_command
from code_core.protocol.duration import Duration
from code_core.protocol.events import ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta
from code_core.protocol.items import FunctionCall, LocalShellCall, ToolCall
from code_core.protocol.policies import ReviewDecision
from code_core.safety.decide import Ask, Reject, Run, decide_command
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.tool import ToolContext, ToolOutput, refusal

DEFAULT_TIMEOUT_MS = 60_000
LONGEST_TIMEOUT_MS = 3_600_000
MAX_DELTAS = 10_000
INTERRUPTED_EXIT_CODE = 130


class _Arguments(BaseModel):
    model_config = ConfigDict(defer_build=True)

    command: list[str] = Field(min_length=1)
    workdir: str | None = None
    timeout_ms: int | None = Field(None, ge=1, validation_alias=AliasChoices("timeout_ms", "timeout"))

    @field_validator("command", mode="before")
    @classmethod
    def _script(cls, value: Any) -> Any:
        """Models sometimes send a script where an argv belongs."""
        return ["bash", "-lc", value] if isinstance(value, str) else value


class Shell:
    """Runs commands in the turn's directory, after approval where the policy wants it."""

    name = "shell"
    parallel_safe = False

    def __init__(self, apply_patch: ApplyPatch) -> None:
        self._apply_patch = apply_patch

    def spec(self) -> dict[str, Any]:
        """See `Tool.spec`."""
        return {
            "type": "function",
            "name": self.name,
            "description": (
                "Run a command and return its output. `command` is passed to execvp: for a pipeline or "
                'other shell syntax use ["bash", "-lc", "…"]. Set `workdir` rather than using cd.'
            ),
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {
                    "command": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "The program and its arguments.",
                    },
                    "workdir": {"type": "string", "description": "The directory to run in."},
                    "timeout_ms": {
                        "type": "number",
                        "description": f"Milliseconds until the command is killed; {DEFAULT_TIMEOUT_MS} if absent.",
                    },
                },
                "required": ["command"],
                "additionalProperties": False,
            },
        }

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        try:
            arguments = _parse(call)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        cwd = context.cwd / arguments.workdir if arguments.workdir else context.cwd
        match detect(arguments.command):
            case PatchCall(text=text, workdir=workdir):
                return await self._apply_patch.apply(
                    text, cwd / workdir if workdir else cwd, call.call_id, context
                )
            case ImplicitPatch(message=message):
                return ToolOutput(message, success=False)
            case None:
                pass
        if (refusal := await _permission(call.call_id, arguments.command, cwd, context)) is not None:
            return refusal
        time_limit = min(arguments.timeout_ms or DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS) / 1000
        return await _run(call.call_id, arguments.command, cwd, time_limit, context)


def _parse(call: ToolCall) -> _Arguments:
    match call:
        case FunctionCall(arguments=text):
            return parse_arguments(_Arguments, text)
        case LocalShellCall(action=action):
            fields = {
                "command": action.command,
                "workdir": action.working_directory,
                "timeout_ms": action.timeout_ms,
            }
            return parse_arguments(_Arguments, json.dumps(fields))
        case _:
            raise BadArguments("shell takes JSON arguments")


async def _permission(call_id: str, command: list[str], cwd: Path, context: ToolContext) -> ToolOutput | None:
    """None if the command may run, else what the model is told."""
    approved = context.approver.command_approved(command, cwd)
    match decide_command(
        context.approval_policy, context.sandbox_policy, confinable=False, approved=approved
    ):
        case Run():
            return None
        case Reject(reason=reason):
            return ToolOutput(f"command rejected: {reason}", success=False)
        case Ask(reason=reason):
            return refusal("command", await context.approver.ask_command(call_id, command, cwd, reason))


async def _run(
    call_id: str, command: list[str], cwd: Path, time_limit: float, context: ToolContext
) -> ToolOutput:
    whole = Capture(context.output_limit, context.output_file(call_id))
    streams: dict[Stream, Capture] = {
        "stdout": Capture(context.output_limit),
        "stderr": Capture(context.output_limit),
    }
    deltas = 0

    async def on_output(stream: Stream, chunk: bytes) -> None:
        nonlocal deltas
        whole.write(chunk)
        streams[stream].write(chunk)
        deltas += 1
        if deltas <= MAX_DELTAS:
            encoded = base64.b64encode(chunk).decode("ascii")
            await context.emit(ExecCommandOutputDelta(call_id=call_id, stream=stream, chunk=encoded))

    await context.emit(
        ExecCommandBegin(
            call_id=call_id,
            command=command,
            cwd=cwd,
            parsed_cmd=[{"type": "unknown", "cmd": " ".join(command)}],
        )
    )
    try:
        end = await run_command(
            command, cwd=cwd, environment=context.environment, time_limit=time_limit, on_output=on_output
        )
    except SpawnError as error:
        await on_output("stderr", str(error).encode())
        end = Exit(error.exit_code, 0.0)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await _emit_end(call_id, streams, Exit(INTERRUPTED_EXIT_CODE, 0.0), "interrupted", context)
        raise
    finally:
        whole.close()
    text = whole.text()
    notice = f"command timed out after {time_limit * 1000:.0f} milliseconds" if end.timed_out else ""
    if notice:
        text = f"{notice}\n{text}"
    await _emit_end(call_id, streams, end, notice, context)
    result = {"output": text, "metadata": {"exit_code": end.code, "duration_seconds": round(end.seconds, 1)}}
    return ToolOutput(
        json.dumps(result, ensure_ascii=False), success=end.code == 0, fingerprint=f"{end.code}\n{text}"
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
