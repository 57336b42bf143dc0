"""Decides whether and where a command may run, from guards, rules, approvals and the user, in this order."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from code_core.config.guards import CommandGuards
from code_core.frozen import frozen
from code_core.protocol.policies import DangerFullAccess
from code_core.safety.confirm_guard import confirm_advice, guard_of
from code_core.safety.decide import Ask, CommandDecision, Reject, Run, decide_command
from code_core.safety.grants import CommandGrant
from code_core.safety.known_safe import reading
from code_core.safety.proposals import proposed_rule
from code_core.safety.rules import PrefixRule, RuleDecision, is_allowed, strictest
from code_core.safety.script import TooComplexError
from code_core.safety.shell_words import Words
from code_core.safety.statements import hides_statements, statements
from code_core.tools.approver import CommandQuestion
from code_core.tools.command_files import TooManyFilesError, files_of
from code_core.tools.program_lookup import ProgramLookup
from code_core.tools.tool import ToolContext, ToolOutput, refusal

_log = logging.getLogger("code_core")

MOVED = "no longer leads to the directory that the user approved"


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


@frozen
class Permission:
    """Permission to run a command.

    Attributes:
        grant: the basis of a permission to run unconfined, checked again just before the start.
    """

    confined: bool
    grant: CommandGrant | None = None


def looked_up(request: CommandRequest, context: ToolContext) -> CommandRequest:
    """Return the request with its programs looked up on PATH. Reads the file system."""
    lookup = ProgramLookup(context.sandbox_policy, request.cwd, context.cwd, context.environment)
    command = lookup.resolve(request.argv)
    return replace(request, argv=command.argv, run=command.run, parts=command.parts)


def grant_of(request: CommandRequest, *, outside: bool) -> CommandGrant:
    """Return what to remember when the user allows the command for the session; if `outside`, reads the files it names.

    Raises:
        TooManyFilesError: the files are too many, too large or not readable.
    """
    argv = tuple(request.argv)
    cwd = Path(os.path.realpath(request.cwd))
    started = "" if request.run is None else request.run[0]
    files = files_of(statements(argv), argv, cwd, started) if outside else frozenset()
    return CommandGrant(argv, cwd, outside=outside, files=files)


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
    rule = await anyio.to_thread.run_sync(_strictest, request, guards)
    full_access = isinstance(context.sandbox_policy, DangerFullAccess)
    confined = confinable and not full_access and not request.escalated
    decision = _decision(request, rule, context, confinable=confinable, approved=False)
    _log.info("command %.64s: %s", request.call_id, decision)
    if isinstance(decision, Run):
        return Permission(decision.confined)
    if rule is not None and rule.decision is RuleDecision.FORBIDDEN:
        return _rejected(decision)
    grant, problem = await anyio.to_thread.run_sync(_remembered, request, not confined)
    if _approved(request, grant, rule, guards, context, confined=confined):
        decision = _decision(request, rule, context, confinable=confinable, approved=True)
        _log.info("command %.64s: allowed by the user: %s", request.call_id, decision)
    match decision:
        case Run():
            return Permission(decision.confined, None if confined else grant)
        case Ask(reason=reason):
            reason = (
                "it failed in the sandbox; run it again outside the sandbox" if request.failed else reason
            )
            question = CommandQuestion(
                call_id=request.call_id,
                argv=request.argv,
                cwd=request.cwd,
                reason=reason if problem is None else f"{reason} (it can only be allowed once: {problem})",
                grant=grant,
                justification=request.justification,
                sandboxed=confined,
                escalated=request.escalated,
                proposal=proposed_rule(request.parts, confined=confined) if rule is None and grant else None,
            )
            answer = refusal("command", await context.approver.ask(question))
            if answer is None and os.path.realpath(request.cwd) != str(request.cwd):
                return ToolOutput(f"command rejected: {request.cwd} {MOVED}", success=False)
            return answer or Permission(confined, None if confined else grant)
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


async def changed_since(request: CommandRequest, allowed: Permission) -> ToolOutput | None:
    """Return the answer to the model if a file that the command names changed after it was allowed to run unconfined.

    A fraction of a second passes between this check and the command opening the file, in which another
    process can still change it.
    """
    if allowed.grant is None:
        return None
    grant, _ = await anyio.to_thread.run_sync(_remembered, request, True)
    if grant == allowed.grant:
        return None
    return ToolOutput(
        "command rejected: a file that it names, or its directory, changed after the command was approved; "
        "run it again to have the new version approved",
        success=False,
    )


def _strictest(request: CommandRequest, guards: CommandGuards) -> PrefixRule | None:
    if not guards.rules:
        return None
    return strictest(guards.rules, statements(request.argv), hides=hides_statements(request.argv))


def _decision(
    request: CommandRequest,
    rule: PrefixRule | None,
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


def _remembered(request: CommandRequest, outside: bool) -> tuple[CommandGrant | None, str | None]:
    """What a permission for the session is based on, or why none can be remembered."""
    try:
        return grant_of(request, outside=outside), None
    except TooManyFilesError as error:
        return None, str(error)


def _approved(
    request: CommandRequest,
    grant: CommandGrant | None,
    rule: PrefixRule | None,
    guards: CommandGuards,
    context: ToolContext,
    *,
    confined: bool,
) -> bool:
    """Whether the user has allowed the command for the session or by a rule."""
    if grant is not None and context.approver.approved(grant):
        return True
    return rule is None and is_allowed(
        request.argv,
        request.parts,
        guards.rules,
        context.approver.registered_commands(),
        outside=request.escalated,
        confined=confined,
        cwd=Path(os.path.realpath(request.cwd)),
        files=None if grant is None else grant.contents,
    )


def _rejected(decision: CommandDecision) -> ToolOutput:
    assert isinstance(decision, Reject)  # noqa: S101 - the only remaining case
    return ToolOutput(f"command rejected: {decision.reason}", success=False)
