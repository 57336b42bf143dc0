"""Makes what the tools of one turn may use, from the session's settings."""

import os
from functools import partial
from pathlib import Path

from code_core.safety.environment import child_environment
from code_core.session.session import Session
from code_core.session.tasks.task import Report
from code_core.session.turn_clock import TurnClock, UnhurriedApprover
from code_core.tools.tool import ToolContext, keep_nothing
from code_core.tools.turn_changes import TurnChanges

BYTES_PER_TOKEN = 4


def tool_context(session: Session, report: Report, clock: TurnClock) -> ToolContext:
    """The context of the turn that `report` reports; its questions take no time on `clock`."""
    config, settings, checkpoints = session.config, session.settings, session.services.checkpoints
    return ToolContext(
        cwd=settings.cwd,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        environment=command_environment(session),
        output_limit=config.tool_output_token_limit * BYTES_PER_TOKEN,
        outputs=config.home.path / "outputs" / session.id,
        home=config.home.path,
        emit=report.emit,
        approver=UnhurriedApprover(session.approvals.for_turn(report.emit), clock),
        changes=TurnChanges(Path(os.path.realpath(settings.cwd))),
        validation=settings.validation,
        before_write=(
            keep_nothing if checkpoints is None else partial(checkpoints.before_write, report.turn_id)
        ),
    )


def command_environment(session: Session) -> dict[str, str]:
    """What commands get of our environment: no secrets."""
    table, provider = session.config.environment, session.config.provider
    secrets = [provider.env_key, *provider.env_http_headers.values()]
    return child_environment(
        os.environ,
        inherit=table.inherit,
        ignore_default_excludes=table.ignore_default_excludes,
        exclude=table.exclude,
        set_=table.set,
        include_only=table.include_only,
        secrets=[name for name in secrets if name],
    )
