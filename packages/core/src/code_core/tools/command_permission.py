"""Whether a command may run, and where: guards, rules, approvals and the user, in this order."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from code_core.config.guards import CommandGuards
from code_core.safety.confirm_guard import confirm_advice, guard_of
from code_core.safety.decide import Ask, Reject, Run, decide_command
from code_core.safety.grants import CommandGrant
from code_core.safety.known_safe import is_known_safe
from code_core.safety.rules import is_allowed, proposed_prefix, strictest
from code_core.safety.shell_reader import TooComplexError
from code_core.safety.statements import statements
from code_core.tools.approver import CommandQuestion
from code_core.tools.tool import ToolContext, ToolOutput, refusal

_log = logging.getLogger("code_core")


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command that the model wants to run.

    Attributes:
        confirmed: it had `confirm:` before it.
        escalated: it is to run outside of the sandbox, for the reason `justification`.
        failed: it has failed in the sandbox.
    """

    call_id: str
    argv: Sequence[str]
    cwd: Path
    confirmed: bool = False
    escalated: bool = False
    justification: str | None = None
    failed: bool = False


def grant_of(request: CommandRequest) -> CommandGrant:
    """What is remembered when the user allows the command for the session."""
    return CommandGrant(tuple(request.argv), request.cwd, outside=request.escalated)


def guarded(request: CommandRequest, guards: CommandGuards) -> ToolOutput | None:
    """What the model is told of a command that needs `confirm:`; None for any other."""
    try:
        found = statements(request.argv)
    except TooComplexError as error:
        return ToolOutput(f"command rejected: {error}: put it into a script file", success=False)
    reason = None if request.confirmed else guard_of(request.argv, found, guards.guards)
    return None if reason is None else ToolOutput(confirm_advice(request.argv, reason), success=False)


async def permission(
    request: CommandRequest, guards: CommandGuards, context: ToolContext, *, confinable: bool
) -> Run | ToolOutput:
    """Where the command may run, or what the model is told if it may not.

    Raises:
        TurnAbandoned: the user does not want the turn to go on.
    """
    argv, approver = request.argv, context.approver
    rule = strictest(guards.rules, statements(argv))
    grant = grant_of(request)
    approved = approver.approved(grant) or (
        rule is None
        and is_allowed(
            argv,
            guards.rules,
            approver.registered_commands(),
            outside=request.escalated,
            cwd=Path(os.path.realpath(request.cwd)),
        )
    )
    decision = decide_command(
        context.approval_policy,
        context.sandbox_policy,
        confinable=confinable,
        known_safe=is_known_safe(argv),
        approved=approved,
        escalated=request.escalated,
        rule=rule,
    )
    _log.info("command %.64s: %s", request.call_id, decision)
    match decision:
        case Run():
            return decision
        case Reject(reason=reason):
            return ToolOutput(f"command rejected: {reason}", success=False)
        case Ask(reason=reason, confined=confined):
            question = CommandQuestion(
                call_id=request.call_id,
                argv=argv,
                cwd=request.cwd,
                reason="it failed in the sandbox, and would run again outside of it"
                if request.failed
                else reason,
                grant=grant,
                justification=request.justification,
                sandboxed=confined,
                escalated=request.escalated,
                prefix=proposed_prefix(argv) if rule is None else None,
            )
            return refusal("command", await approver.ask(question)) or Run(confined)


async def permission_to_retry(
    request: CommandRequest, guards: CommandGuards, context: ToolContext
) -> Run | ToolOutput:
    """The same for a command that the sandbox has denied something, to run again outside of it.

    Raises:
        TurnAbandoned: the user does not want the turn to go on.
    """
    retry = replace(request, escalated=True, failed=True)
    return await permission(retry, guards, context, confinable=True)
