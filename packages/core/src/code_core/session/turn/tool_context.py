"""Builds the context in which the tools of one turn run, from the session's settings."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from code_core.safety.environment import child_environment
from code_core.safety.non_interactive import non_interactive
from code_core.session.history.sizes import BYTES_PER_TOKEN
from code_core.session.session import Session
from code_core.session.settings import TurnSettings
from code_core.session.tasks.task import Report
from code_core.session.turn.checkpoint import TurnCheckpoint
from code_core.session.turn.clock import TurnClock, UnhurriedApprover
from code_core.store.layout import outputs_of
from code_core.tools.tool import ToolContext, keep_nothing

if TYPE_CHECKING:
    from code_core.tools.approver import Question, Review
    from code_core.tools.turn_changes import TurnChanges


def tool_context(
    session: Session,
    settings: TurnSettings,
    report: Report,
    clock: TurnClock,
    checkpoint: TurnCheckpoint | None,
    changes: "Callable[[], TurnChanges]",
) -> ToolContext:
    """Return the tool context for the turn that `report` belongs to; its questions pause `clock`."""
    config, asks = session.config, session.user_questions
    return ToolContext(
        cwd=settings.cwd,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_in_force,
        planning=settings.is_planning,
        asker=None if asks is None else asks.for_turn(report.emit, clock),
        environment=command_environment(session),
        output_limit=config.tool_output_token_limit * BYTES_PER_TOKEN,
        outputs=outputs_of(config.home.path, session.id),
        home=config.home.path,
        emit=report.emit,
        approver=UnhurriedApprover(session.approvals, _asks(session, report), clock),
        changes=changes,
        validation=settings.validation,
        terminals=session.services.terminals,
        before_write=keep_nothing if checkpoint is None else checkpoint.before_write,
        before_command=keep_nothing if checkpoint is None else checkpoint.before_command,
    )


def _asks(session: Session, report: Report) -> "Callable[[Question], Awaitable[Review]]":
    """Return a function that asks the questions of tools."""

    async def ask(question: "Question") -> "Review":
        from code_core.session.questions.approver import TurnApprover  # most turns ask nothing

        return await TurnApprover(session.approvals, report.emit).ask(question)

    return ask


def command_environment(session: Session) -> dict[str, str]:
    """The environment for commands, without secrets."""
    table, provider = session.config.environment, session.config.provider
    secrets = [provider.env_key, *provider.env_http_headers.values()]
    environment = child_environment(
        os.environ,
        inherit=table.inherit,
        ignore_default_excludes=table.ignore_default_excludes,
        exclude=table.exclude,
        set_=table.set,
        include_only=table.include_only,
        secrets=[name for name in secrets if name],
    )
    return non_interactive(environment, keep=table.set)
