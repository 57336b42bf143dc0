"""The user's approval of a command: what was allowed for the session, and the question about it."""

import os
from functools import partial
from pathlib import Path

import anyio.to_thread

from code_core.config.guards import CommandGuards
from code_core.safety.grants import CommandGrant
from code_core.safety.proposals import proposed_rule
from code_core.safety.rules import PrefixRule, is_allowed
from code_core.safety.statements import statements
from code_core.tools.approver import CommandQuestion
from code_core.tools.command_files import TooManyFilesError, files_of
from code_core.tools.command_permission import CommandRequest
from code_core.tools.tool import ToolContext, ToolOutput, refusal

MOVED = "no longer leads to the directory that the user approved"


class Approval:
    """The approval of one command, which runs confined or not; see `permission` for the rest."""

    def __init__(
        self,
        request: CommandRequest,
        rule: PrefixRule | None,
        guards: CommandGuards,
        context: ToolContext,
        *,
        confined: bool,
    ) -> None:
        self._request = request
        self._rule = rule
        self._guards = guards
        self._context = context
        self._confined = confined
        self._grant: CommandGrant | None = None
        self._problem: str | None = None

    @property
    def grant_outside(self) -> CommandGrant | None:
        """The basis of an approval to run unconfined, once `exists` has been called; None if it runs confined."""
        return None if self._confined else self._grant

    async def exists(self) -> bool:
        """Whether the user has already allowed the command, for the session or by a rule."""
        remembered = partial(_remembered, self._request, outside=not self._confined)
        self._grant, self._problem = await anyio.to_thread.run_sync(remembered)
        request, grant, approver = self._request, self._grant, self._context.approver
        if grant is not None and approver.approved(grant):
            return True
        return self._rule is None and is_allowed(
            request.argv,
            request.parts,
            self._guards.rules,
            approver.registered_commands(),
            outside=request.escalated,
            confined=self._confined,
            cwd=Path(os.path.realpath(request.cwd)),
            files=None if grant is None else grant.contents,
        )

    async def ask(self, reason: str) -> ToolOutput | None:
        """Ask the user, after `exists`; return None if the command may run, otherwise the answer to the model.

        Raises:
            TurnAbandoned: the user chose to stop the turn.
        """
        request, grant, problem = self._request, self._grant, self._problem
        if request.failed:
            reason = "it failed in the sandbox; run it again outside the sandbox"
        offers_rule = self._rule is None and grant is not None
        question = CommandQuestion(
            call_id=request.call_id,
            argv=request.argv,
            cwd=request.cwd,
            reason=reason if problem is None else f"{reason} (it can only be allowed once: {problem})",
            grant=grant,
            justification=request.justification,
            sandboxed=self._confined,
            escalated=request.escalated,
            proposal=proposed_rule(request.parts, confined=self._confined) if offers_rule else None,
        )
        refused = refusal("command", await self._context.approver.ask(question))
        if refused is None and os.path.realpath(request.cwd) != str(request.cwd):
            return ToolOutput(f"command rejected: {request.cwd} {MOVED}", success=False)
        return refused


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


async def granted_outside(request: CommandRequest, context: ToolContext) -> bool:
    """Whether the user has allowed the command, unchanged, to run outside the sandbox for the session."""
    grant, _ = await anyio.to_thread.run_sync(partial(_remembered, request, outside=True))
    return grant is not None and context.approver.approved(grant)


async def changed_since(request: CommandRequest, approved: CommandGrant) -> ToolOutput | None:
    """Return the answer to the model if a file that the command names changed after it was allowed to run unconfined.

    A fraction of a second passes between this check and the command opening the file, in which another
    process can still change it.
    """
    grant, _ = await anyio.to_thread.run_sync(partial(_remembered, request, outside=True))
    if grant == approved:
        return None
    return ToolOutput(
        "command rejected: a file that it names, or its directory, changed after the command was approved; "
        "run it again to have the new version approved",
        success=False,
    )


def _remembered(request: CommandRequest, *, outside: bool) -> tuple[CommandGrant | None, str | None]:
    """What a permission for the session is based on, or why none can be remembered."""
    try:
        return grant_of(request, outside=outside), None
    except TooManyFilesError as error:
        return None, str(error)
