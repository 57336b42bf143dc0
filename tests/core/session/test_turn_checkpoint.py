"""What a turn saves for undo, and what the user learns if it cannot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import CodeError
from code_core.protocol.checkpoints import Steps
from code_core.protocol.events import BackgroundEvent, WarningEvent
from code_core.protocol.ops import OverrideTurnContext
from code_core.protocol.policies import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.session.events.log import EventLog
from code_core.session.parts import Parts, make_session
from code_core.session.tasks.task import Report
from code_core.session.turn.checkpoint import TurnCheckpoint, begin_checkpoint
from core.session.scripted import ScriptedModel
from support.repository import make_repository


class Checkpoints:
    """Records its calls; fails or warns on demand. See `Checkpoints` of the protocol."""

    def __init__(self, *, error: Exception | None = None, warning: str | None = None) -> None:
        self.error = error
        self.warning = warning
        self.asked: list[tuple[Any, ...]] = []

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        self.asked.append((turn_id, list(roots), look_ahead))

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        self.asked.append((turn_id, list(paths)))
        self._fail()

    async def before_command(self, turn_id: str) -> str | None:
        self.asked.append((turn_id,))
        self._fail()
        return self.warning

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def end_turn(self, turn_id: str) -> None:
        raise AssertionError(turn_id)

    async def steps(self) -> Steps:
        raise AssertionError

    async def undo(self) -> None:
        raise AssertionError

    async def redo(self) -> None:
        raise AssertionError

    async def aclose(self) -> None:
        raise AssertionError


def after_work(checkpoints: Checkpoints) -> list[Any]:
    """The events of a turn that writes a file, runs a command, and does both again."""

    async def main() -> list[Any]:
        log = EventLog()
        reader = log.reader()
        turn = TurnCheckpoint(checkpoints, Report("1", "turn_a", log))
        for _ in range(2):
            await turn.before_write([Path("/w/a")])
            await turn.before_command()
        log.close()
        return [event.msg async for event in reader]

    return anyio.run(main)


def test_files_are_saved_before_they_change() -> None:
    checkpoints = Checkpoints()
    assert after_work(checkpoints) == []
    assert checkpoints.asked == [("turn_a", [Path("/w/a")]), ("turn_a",)] * 2


def test_a_turn_saves_files_under_its_own_id(config: Config) -> None:
    checkpoints = Checkpoints()
    session = make_session(config, ScriptedModel(), Parts(checkpoints=checkpoints))
    turn = begin_checkpoint(session, Report("1", "turn_a", EventLog()))
    assert turn is not None
    anyio.run(turn.before_write, [Path("/w/a")])
    assert checkpoints.asked[1:] == [("turn_a", [Path("/w/a")])]


@pytest.mark.parametrize("error", [CodeError("the store is damaged"), OSError("the store is damaged")])
def test_a_store_that_fails_is_one_warning(error: Exception) -> None:
    assert after_work(Checkpoints(error=error)) == [
        WarningEvent(message="this turn cannot be undone: the store is damaged")
    ]


@pytest.mark.parametrize("error", [CodeError("no room"), OSError("no room")])
@pytest.mark.parametrize("writes", [True, False])
def test_the_first_failure_is_the_warning(writes: bool, error: Exception) -> None:
    async def main() -> list[Any]:
        log = EventLog()
        reader = log.reader()
        turn = TurnCheckpoint(Checkpoints(error=error), Report("1", "turn_a", log))
        await (turn.before_write([Path("/w/a")]) if writes else turn.before_command())
        log.close()
        return [event.msg async for event in reader]

    assert anyio.run(main) == [WarningEvent(message="this turn cannot be undone: no room")]


def test_changes_that_are_not_covered_are_reported() -> None:
    notice = BackgroundEvent(message="too many files")
    assert after_work(Checkpoints(warning="too many files")) == [notice, notice]


def begun(config: Config, policy: SandboxPolicy) -> tuple[Any, ...]:
    """The arguments with which a turn's checkpoint begins."""
    checkpoints = Checkpoints()
    session = make_session(config, ScriptedModel(), Parts(checkpoints=checkpoints))
    session.settings = session.settings.overridden(OverrideTurnContext(sandbox_policy=policy))
    assert begin_checkpoint(session, Report("1", "turn_a", EventLog())) is not None
    (asked,) = checkpoints.asked
    return asked


def test_a_turn_that_may_write_scans_the_writable_directories(config: Config) -> None:
    policy = WorkspaceWrite(writable_roots=[Path("below"), Path("/elsewhere")])
    roots = [config.cwd, config.cwd / "below", Path("/elsewhere")]
    assert begun(config, policy) == ("turn_a", roots, True)


@pytest.mark.parametrize(("policy", "look_ahead"), [(ReadOnly(), False), (DangerFullAccess(), True)])
def test_a_read_only_turn_scans_the_repository(
    config: Config, policy: SandboxPolicy, look_ahead: bool
) -> None:
    assert begun(config, policy) == ("turn_a", [config.cwd], look_ahead)
    root = make_repository(config.cwd.parent)
    assert begun(config, policy) == ("turn_a", [root], look_ahead)


def test_without_undo_nothing_is_saved(config: Config) -> None:
    session = make_session(config, ScriptedModel())
    assert begin_checkpoint(session, Report("1", "turn_a", EventLog())) is None
