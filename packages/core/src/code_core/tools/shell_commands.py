"""Carries out calls of `shell`: looks up the command, decides about it, and runs it where it may."""

import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import from_json

from code_core.config.guards import CommandGuards
from code_core.config.paths import is_directory
from code_core.frozen import frozen
from code_core.protocol.items import FunctionCall, LocalShellCall, ToolCall
from code_core.protocol.policies import AskForApproval, DangerFullAccess
from code_core.safety.confirm_guard import strip_confirm
from code_core.safety.planning import NOTHING_CHANGES
from code_core.safety.shell_words import Words
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.command_permission import (
    CommandRequest,
    Permission,
    guarded,
    looked_up,
    permission,
    permission_to_retry,
)
from code_core.tools.command_run import CommandResult, run_shell_command
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.patch_format import may_be_patch

if TYPE_CHECKING:
    from code_core.patch.invocation import ImplicitPatch, PatchCall
    from code_core.sandbox.detection import Detection
    from code_core.sandbox.sandbox import Sandbox

LONGEST_TIMEOUT_MS = 3_600_000


class _Arguments(BaseModel):
    model_config = ConfigDict(defer_build=True)

    command: list[str] = Field(min_length=1)
    workdir: str | None = None
    timeout_ms: int | None = Field(None, ge=1, validation_alias=AliasChoices("timeout_ms", "timeout"))
    with_escalated_permissions: bool = False
    justification: str | None = None

    @field_validator("command", mode="before")
    @classmethod
    def _script(cls, value: Any) -> Any:
        """Accept a script or an argv as JSON text where an argv is expected, because models sometimes send one."""
        if not isinstance(value, str):
            return value
        return _argv_in(value) or ["bash", "-lc", value]


def _argv_in(text: str) -> list[str] | None:
    """The argv in a text such as `["ls", "-l"]`, or None for a script, such as `[ -e x ]`."""
    if not text.lstrip().startswith('["'):
        return None
    try:
        value = from_json(text)
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None


RunCommand = Callable[[CommandRequest, "Sandbox | None"], Awaitable[CommandResult]]
"""Runs a permitted command, confined if there is a sandbox."""


@frozen
class CommandCall:
    """A command as the model sent it."""

    call_id: str
    command: Sequence[str]
    workdir: str | None = None
    escalated: bool = False
    justification: str | None = None


def detect_sandbox() -> "Detection":
    """See `detection.detect`, which is imported late: a command with full access needs no sandbox."""
    from code_core.sandbox.detection import detect as detect_mechanisms

    return detect_mechanisms()


class ShellCommands:
    """Runs the commands of one session; `default_timeout_ms` is for calls that set no timeout."""

    def __init__(self, apply_patch: ApplyPatch, guards: CommandGuards, default_timeout_ms: int) -> None:
        self._apply_patch = apply_patch
        self._guards = guards
        self._default_timeout_ms = default_timeout_ms
        # Only commands that ran outside once can have a grant for that, so only their files need to be read.
        self._ran_outside: set[tuple[Words, Path]] = set()

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Carry out `call`; see `Tool.call`."""
        try:
            arguments = _parse(call)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        time_limit = min(arguments.timeout_ms or self._default_timeout_ms, LONGEST_TIMEOUT_MS) / 1000
        command = CommandCall(
            call.call_id,
            arguments.command,
            arguments.workdir,
            arguments.with_escalated_permissions,
            arguments.justification,
        )

        async def run(request: CommandRequest, sandbox: "Sandbox | None") -> CommandResult:
            return await run_shell_command(request, time_limit, context, sandbox)

        return await self.carry_out(command, context, run)

    async def carry_out(self, call: CommandCall, context: ToolContext, run: RunCommand) -> ToolOutput:
        """Decide about a command and `run` it if permitted; a patch in it is applied.

        Raises:
            TurnAbandoned: the user chose to stop the turn.
        """
        if "\0" in (call.workdir or ""):
            return ToolOutput(f"the directory {call.workdir!r} contains a NUL character", success=False)
        # Links are resolved, so that the user is asked about the directory that the command really runs in.
        cwd = Path(os.path.realpath(context.cwd / (call.workdir or "")))
        command, confirmed = strip_confirm(call.command)
        if not command:
            return ToolOutput("the command is empty", success=False)
        if any("\0" in word for word in command):
            return ToolOutput("the command contains a NUL character", success=False)
        if (patch := _patch_in(command)) is not None:
            return await self._apply(patch, cwd, call.call_id, context)
        request = CommandRequest(
            call_id=call.call_id,
            argv=command,
            cwd=cwd,
            confirmed=confirmed,
            escalated=call.escalated,
            justification=call.justification,
        )
        prepared = await anyio.to_thread.run_sync(self._prepared, request, context)
        if isinstance(prepared, ToolOutput):
            return prepared
        return _noted(await self._run(prepared, context, run))

    async def _apply(
        self, patch: "PatchCall | ImplicitPatch", cwd: Path, call_id: str, context: ToolContext
    ) -> ToolOutput:
        from code_core.patch.invocation import ImplicitPatch

        if isinstance(patch, ImplicitPatch):
            return ToolOutput(patch.message, success=False)
        directory = cwd / (patch.workdir or "")
        if not is_directory(directory):
            problem = (
                f"No file was changed: {str(directory)!r}, where the patch would apply, is not a directory"
            )
            return ToolOutput(problem, success=False)
        return await self._apply_patch.apply(patch.text, directory, call_id, context)

    def _prepared(self, request: CommandRequest, context: ToolContext) -> CommandRequest | ToolOutput:
        """Return the request with its programs looked up, or the answer to the model if it needs `confirm:`."""
        return guarded(request, self._guards) or looked_up(request, context)

    async def _run(self, request: CommandRequest, context: ToolContext, run: RunCommand) -> ToolOutput:
        """Run the command where it may, then outside the sandbox if that denied it something."""
        full_access = isinstance(context.sandbox_policy, DangerFullAccess)
        sandbox = None if full_access else (await anyio.to_thread.run_sync(detect_sandbox)).sandbox
        if await self._granted_outside(request, context):
            request = replace(request, escalated=True)
        allowed = await permission(request, self._guards, context, confinable=sandbox is not None)
        if isinstance(allowed, ToolOutput):
            return allowed
        if sandbox is None or not allowed.confined:
            return await self._run_unconfined(request, allowed, run)
        confined = await run(request, sandbox)
        if confined.denied and context.planning:
            return replace(confined.output, text=f"{confined.output.text}\n[{NOTHING_CHANGES}]")
        if not confined.denied or context.approval_policy is AskForApproval.NEVER:
            return confined.output
        match await permission_to_retry(request, self._guards, context):
            case ToolOutput(text=refusal):
                return replace(
                    confined.output, text=f"{confined.output.text}\n{refusal}, outside the sandbox"
                )
            case Permission() as allowed:
                return await self._run_unconfined(request, allowed, run)

    async def _run_unconfined(
        self, request: CommandRequest, allowed: Permission, run: RunCommand
    ) -> ToolOutput:
        if allowed.grant is not None:
            from code_core.tools.command_approval import changed_since

            if (refused := await changed_since(request, allowed.grant)) is not None:
                return refused
            self._ran_outside.add((allowed.grant.argv, allowed.grant.cwd))
        return (await run(request, None)).output

    async def _granted_outside(self, request: CommandRequest, context: ToolContext) -> bool:
        """Whether the user has allowed the command, unchanged, to run outside the sandbox for the session."""
        here = (tuple(request.argv), Path(os.path.realpath(request.cwd)))
        never = context.planning or context.approval_policy is AskForApproval.NEVER
        if here not in self._ran_outside or never:
            return False
        from code_core.tools.command_approval import granted_outside

        return await granted_outside(request, context)


def _patch_in(command: Sequence[str]) -> "PatchCall | ImplicitPatch | None":
    """See `detect`."""
    if not any(map(may_be_patch, command)):
        return None
    from code_core.patch.invocation import detect

    return detect(command)


def _noted(output: ToolOutput) -> ToolOutput:
    """The output, marked as a failure if a script called `apply_patch` in a form that was not recognised."""
    if not may_be_patch(output.text):
        return output
    from code_core.patch.invocation import MISSED, was_missed

    if not was_missed(output.text):
        return output
    return replace(output, text=f"{output.text}\n{MISSED}", success=False)


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
