"""Makes what the tools of one turn may use, from the session's settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from code_core.context.git import repository_root
from code_core.errors import CodeError
from code_core.protocol.checkpoints import Checkpoints
from code_core.protocol.events import BackgroundEvent, WarningEvent
from code_core.protocol.policies import ReadOnly, WorkspaceWrite
from code_core.safety.environment import child_environment
from code_core.safety.non_interactive import non_interactive
from code_core.session.session import Session
from code_core.session.settings import TurnSettings
from code_core.session.tasks.task import Report
from code_core.session.turn_clock import TurnClock, UnhurriedApprover
from code_core.tools.tool import ToolContext, keep_nothing
from code_core.tools.turn_changes import TurnChanges

BYTES_PER_TOKEN = 4


def tool_context(session: Session, report: Report, clock: TurnClock) -> ToolContext:
    """The context of the turn that `report` reports; its questions take no time on `clock`.

    Whoever asks for it closes its `changes`.
    """
    config, settings = session.config, session.settings
    keeper = _keeper(session, report)
    directory, outputs = Path(os.path.realpath(settings.cwd)), config.home.path / "outputs" / session.id
    return ToolContext(
        cwd=settings.cwd,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        environment=command_environment(session),
        output_limit=config.tool_output_token_limit * BYTES_PER_TOKEN,
        outputs=outputs,
        home=config.home.path,
        emit=report.emit,
        approver=UnhurriedApprover(session.approvals.for_turn(report.emit), clock),
        changes=TurnChanges(repository_root(directory) or directory, outputs / "turn"),
        validation=settings.validation,
        before_write=keep_nothing if keeper is None else keeper.before_write,
        before_command=keep_nothing if keeper is None else keeper.before_command,
    )


class _Keeper:
    """Keeps files for undo; where that fails, the user learns it once and the work goes on."""

    def __init__(self, checkpoints: Checkpoints, report: Report) -> None:
        self._checkpoints = checkpoints
        self._report = report
        self._failed = False

    async def before_write(self, paths: Sequence[Path]) -> None:
        """See `ToolContext`."""
        try:
            await self._checkpoints.before_write(self._report.turn_id, paths)
        except (CodeError, OSError) as error:
            await self._fail(error)

    async def before_command(self) -> None:
        """See `ToolContext`."""
        try:
            warning = await self._checkpoints.before_command(self._report.turn_id)
        except (CodeError, OSError) as error:
            await self._fail(error)
        else:
            if warning is not None:
                await self._report.emit(BackgroundEvent(message=warning))

    async def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            await self._report.emit(WarningEvent(message=f"this turn cannot be undone: {error}"))


def _keeper(session: Session, report: Report) -> _Keeper | None:
    checkpoints, settings = session.services.checkpoints, session.settings
    if checkpoints is None:
        return None
    look_ahead = not isinstance(settings.sandbox_policy, ReadOnly)
    checkpoints.begin_turn(report.turn_id, _roots(settings), look_ahead=look_ahead)
    return _Keeper(checkpoints, report)


def _roots(settings: TurnSettings) -> list[Path]:
    """Where commands are expected to write."""
    if isinstance(settings.sandbox_policy, WorkspaceWrite):
        return [settings.cwd, *(settings.cwd / root for root in settings.sandbox_policy.writable_roots)]
    return [repository_root(settings.cwd) or settings.cwd]


def command_environment(session: Session) -> dict[str, str]:
    """What commands get of our environment: no secrets."""
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
