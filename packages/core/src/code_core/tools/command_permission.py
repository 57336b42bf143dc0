"""Decides whether and where a command may run, from guards, rules, approvals and the user, in this order."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from code_core.config.guards import CommandGuards
from code_core.frozen import frozen
from code_core.protocol.policies import DangerFullAccess
from code_core.safety.confirm_guard import confirm_advice, guard_of
from code_core.safety.decide import Ask, CommandDecision, Reject, Run, decide_command
from code_core.safety.known_safe import reading
from code_core.safety.script import TooComplexError
from code_core.safety.shell_words import Words
from code_core.safety.statements import hides_statements, statements
from code_core.tools.program_lookup import ProgramLookup
from code_core.tools.tool import ToolContext, ToolOutput

if TYPE_CHECKING:
    from code_core.safety.grants import CommandGrant
    from code_core.safety.rules import PrefixRule

_log = logging.getLogger("code_core")


@frozen
class CommandRequest:
    """A command that the model wants to run.

    Attributes:
        argv: the command as it is judged and shown.
        cwd: the directory, with symlinks resolved.
        confirmed: whether it was prefixed with `confirm:`.
        escalated: whether it should run outside the sandbox, for the reason in `justification`.
        failed: whether it has failed in the sandbox.
        run: the command to start, if its program had to be looked up; otherwise None, meaning `argv`.
        parts: the commands that it certainly runs; None if unknown.
        program: the file to start, if it was looked up.
    """

    call_id: str
    argv: Sequence[str]
    cwd: Path
    confirmed: bool = False
    escalated: bool = False
    justification: str | None = None
    failed: bool = False
    run: Words | None = None
    parts: tuple[Words, ...] | None = None
    program: str | None = None


@frozen
class Permission:
    """Permission to run a command.

    Attributes:
        grant: the basis of a permission to run unconfined, checked again just before the start.
    """

    confined: bool
    grant: "CommandGrant | None" = None


def looked_up(request: CommandRequest, context: ToolContext) -> CommandRequest:
    """Return the request with its programs looked up on PATH. Reads the file system."""
    lookup = ProgramLookup(context.sandbox_policy, request.cwd, context.cwd, context.environment)
    command = lookup.resolve(request.argv)
    return replace(request, argv=command.argv, run=command.run, parts=command.parts, program=command.program)


def guarded(request: CommandRequest, guards: CommandGuards) -> ToolOutput | None:
    """Return the answer to the model for a command that needs `confirm:`, otherwise None."""
    try:
        found, hides = statements(request.argv), hides_statements(request.argv)
    except TooComplexError as error:
        return ToolOutput(f"command rejected: {error}: put it into a script file", success=False)
    reason = None if request.confirmed else guard_of(request.argv, found, guards.guards, hides=hides)
    return None if reason is None else ToolOutput(confirm_advice(request.argv, reason), success=False)


async def permission(
    request: CommandRequest, guards: CommandGuards, context: ToolContext, *, confinable: bool
) -> Permission | ToolOutput:
    """Decide where the command may run, or return the answer to the model if it may not.

    Raises:
        TurnAbandoned: the user chose to stop the turn.
    """
    rule = await anyio.to_thread.run_sync(_strictest, request, guards) if guards.rules else None
    full_access = isinstance(context.sandbox_policy, DangerFullAccess)
    confined = confinable and not full_access and not request.escalated
    decision = _decision(request, rule, context, confinable=confinable, approved=False)
    _log.info("command %.64s: %s", request.call_id, decision)
    if isinstance(decision, Run):
        return Permission(decision.confined)
    if rule is not None and rule.forbids:
        return _rejected(decision)
    from code_core.tools.command_approval import Approval  # most commands need none

    approval = Approval(request, rule, guards, context, confined=confined)
    if await approval.exists():
        decision = _decision(request, rule, context, confinable=confinable, approved=True)
        _log.info("command %.64s: allowed by the user: %s", request.call_id, decision)
    match decision:
        case Run():
            return Permission(decision.confined, approval.grant_outside)
        case Ask(reason=reason):
            refused = await approval.ask(reason)
            return refused or Permission(confined, approval.grant_outside)
        case Reject():
            return _rejected(decision)


async def permission_to_retry(
    request: CommandRequest, guards: CommandGuards, context: ToolContext
) -> Permission | ToolOutput:
    """Like `permission`, for a command that the sandbox denied something, to run it again outside.

    Raises:
        TurnAbandoned: the user chose to stop the turn.
    """
    retry = replace(request, escalated=True, failed=True)
    return await permission(retry, guards, context, confinable=True)


def _strictest(request: CommandRequest, guards: CommandGuards) -> "PrefixRule | None":
    from code_core.safety.rules import strictest

    return strictest(guards.rules, statements(request.argv), hides=hides_statements(request.argv))


def _decision(
    request: CommandRequest,
    rule: "PrefixRule | None",
    context: ToolContext,
    *,
    confinable: bool,
    approved: bool,
) -> CommandDecision:
    return decide_command(
        context.approval_policy,
        context.sandbox_policy,
        confinable=confinable,
        reads=reading(request.parts),
        approved=approved,
        escalated=request.escalated,
        rule=rule,
        planning=context.planning,
    )


def _rejected(decision: CommandDecision) -> ToolOutput:
    assert isinstance(decision, Reject)  # noqa: S101 - the only remaining case
    return ToolOutput(f"command rejected: {decision.reason}", success=False)
