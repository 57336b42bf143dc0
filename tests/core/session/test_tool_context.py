"""The context of a turn's tools."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.patch.edits import Added
from code_core.patch.filesystem import FileState
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.events import BackgroundEvent
from code_core.protocol.ops import ExecApproval
from code_core.protocol.policies import AskForApproval, CollaborationMode, ReadOnly, ReviewDecision
from code_core.protocol.question_events import RequestUserInput
from code_core.safety.grants import CommandGrant
from code_core.session.events.log import EventLog, EventReader
from code_core.session.parts import Parts, make_session
from code_core.session.session import Session
from code_core.session.tasks.task import Report
from code_core.session.turn.checkpoint import TurnCheckpoint
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.lazy_tool_context import LazyToolContext
from code_core.session.turn.tool_context import command_environment, tool_context
from code_core.tools.approver import CommandQuestion
from code_core.tools.tool import ToolContext, keep_nothing
from code_core.tools.turn_changes import TurnChanges
from code_core.validation.switches import ValidationSwitches
from core.session.scripted import ScriptedModel, scripted_config

ID = "11111111-1111-4111-8111-111111111111"


def session_of(config: Config, **more: Any) -> Session:
    return make_session(config, ScriptedModel(), Parts(session_id=ID, **more))


class Checkpoints:
    """Records what it should save. See `Checkpoints` of the protocol."""

    def __init__(self) -> None:
        self.notes: list[tuple[object, ...]] = []

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        self.notes.append(("begin", turn_id, *roots, look_ahead))

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        self.notes.append(("write", turn_id, *paths))

    async def before_command(self, turn_id: str) -> None:
        self.notes.append(("command", turn_id))


def made(session: Session, checkpoint: TurnCheckpoint | None = None) -> tuple[ToolContext, EventReader]:
    log = EventLog()
    report = Report("1", "t", log)
    context = tool_context(session, session.settings, report, TurnClock(None), checkpoint, no_changes)
    return context, log.reader()


def no_changes() -> TurnChanges:
    raise AssertionError("only patches have changes")


def test_tools_work_with_the_settings_of_the_turn(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("tool_output_token_limit", 100),))
    session = session_of(config)
    switches = ValidationSwitches({"stylistic": True})
    session.settings = replace(
        session.settings,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=ReadOnly(),
        validation=switches,
    )
    context, _ = made(session)
    assert context.cwd == config.cwd
    assert context.approval_policy is AskForApproval.NEVER
    assert context.sandbox_policy == ReadOnly()
    assert context.validation == switches
    assert context.output_limit == 400  # bytes
    assert context.outputs == tmp_path / "outputs" / ID
    assert context.home == tmp_path
    assert context.terminals is session.services.terminals
    assert context.environment == command_environment(session)
    assert not context.planning
    assert context.asker is None  # this frontend shows no questions


def test_in_plan_mode_tools_may_only_read(config: Config) -> None:
    session = session_of(config)
    session.settings = replace(session.settings, collaboration_mode=CollaborationMode.PLAN)
    context, _ = made(session)
    assert context.planning
    assert context.sandbox_policy == ReadOnly()


def test_the_model_asks_the_user_under_its_turn(config: Config) -> None:
    session = session_of(config, asks_user=True)

    async def main() -> None:
        context, reader = made(session)
        assert context.asker is not None
        asker = context.asker
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(asker.ask, "c", [])
                event = await anext(reader)
                assert isinstance(event.msg, RequestUserInput)
                assert (event.id, event.msg.call_id) == ("1", "c")
                tasks.cancel_scope.cancel()

    anyio.run(main)


def test_tool_events_belong_to_the_turn(config: Config) -> None:
    async def main() -> None:
        context, reader = made(session_of(config))
        await context.emit(BackgroundEvent(message="working"))
        event = await anext(reader)
        assert (event.id, event.msg) == ("1", BackgroundEvent(message="working"))

    anyio.run(main)


def test_questions_of_tools_go_to_the_user_and_pause_the_turns_clock(config: Config) -> None:
    make = CommandQuestion("c", ("make",), config.cwd, "not trusted", CommandGrant(("make",), config.cwd))

    async def main() -> None:
        session, clock = session_of(config), TurnClock(0.05)
        log = EventLog()
        reader = log.reader()
        context = tool_context(session, session.settings, Report("1", "t", log), clock, None, no_changes)

        async def answer() -> None:
            asked = (await anext(reader)).msg
            assert isinstance(asked, ExecApprovalRequest)
            await anyio.sleep(0.1)
            session.approvals.answer(ExecApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED))

        with anyio.fail_after(5), clock.running():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                review = await context.approver.ask(make)
        assert review.decision is ReviewDecision.APPROVED

    anyio.run(main)


@pytest.mark.parametrize("is_repository", [True, False])
def test_the_turns_diff_names_files_from_the_root_of_the_repository(
    tmp_path: Path, is_repository: bool
) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(work / "sub")
    if is_repository:
        subprocess.run(["git", "init", "-q", str(work)], check=True)
    session = session_of(scripted_config(tmp_path, cwd=tmp_path / "link"))

    async def main() -> None:
        with LazyToolContext(session, Report("1", "t", EventLog()), TurnClock(None)) as lazy:
            changes = (await lazy.get()).changes()
            changes.add([Added(work / "sub" / "a.txt", FileState(b"new\n"))])
            assert f"+++ b/{'sub/' if is_repository else ''}a.txt" in changes.diff()
            assert (tmp_path / "outputs" / ID / "turn").is_dir()
        assert not (tmp_path / "outputs" / ID / "turn").exists()

    anyio.run(main)


def test_with_checkpoints_files_are_kept_before_they_change(config: Config) -> None:
    checkpoints: Any = Checkpoints()

    async def main() -> None:
        checkpoint = TurnCheckpoint(checkpoints, Report("1", "t", EventLog()))
        context, _ = made(session_of(config), checkpoint)
        await context.before_write([config.cwd / "a"])
        await context.before_command()

    anyio.run(main)
    assert checkpoints.notes == [("write", "t", config.cwd / "a"), ("command", "t")]
    context, _ = made(session_of(config))
    assert context.before_write is keep_nothing
    assert context.before_command is keep_nothing


def test_commands_get_the_configured_environment_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "PLAIN": "1",
        "DROPPED": "1",
        "OTHER": "1",
        "GIT_EDITOR": "vi",
        "THE_KEY": "1",
        "THE_HEADER": "1",
        "A_TOKEN": "x",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider = {
        "name": "p",
        "base_url": "http://127.0.0.1:1/v1",
        "env_key": "THE_KEY",
        "env_http_headers": {"X-Key": "THE_HEADER"},
    }

    def environment(**table: Any) -> dict[str, str]:
        settings = (("model_providers", {"p": provider}), ("shell_environment_policy", table))
        config = scripted_config(tmp_path, replay_scenario=None, model_provider="p", settings=settings)
        return command_environment(session_of(config))

    usual = environment()
    assert {"PLAIN", "DROPPED", "OTHER"} <= {*usual}
    assert not {"THE_KEY", "THE_HEADER", "A_TOKEN"} & {*usual}
    assert usual["GIT_EDITOR"] == "true"
    assert "PLAIN" not in environment(inherit="none")
    assert "A_TOKEN" in environment(ignore_default_excludes=True)
    assert "THE_KEY" not in environment(ignore_default_excludes=True)
    assert "DROPPED" not in environment(exclude=["DROP*"])
    own = environment(set={"GIT_EDITOR": "emacs", "MINE": "2"})
    assert (own["GIT_EDITOR"], own["MINE"]) == ("emacs", "2")
    assert {"PLAIN"} == {*environment(include_only=["PLAIN"])} & {*variables, "PLAIN"} - {"GIT_EDITOR"}


def test_the_context_is_created_once_with_the_initial_settings(config: Config) -> None:
    checkpoints: Any = Checkpoints()

    async def main() -> None:
        session = session_of(config, checkpoints=checkpoints)
        report = Report("1", "t", EventLog())
        with LazyToolContext(session, report, TurnClock(None)) as lazy:
            assert checkpoints.notes == [("begin", "t", config.cwd, True)]
            session.settings = replace(session.settings, sandbox_policy=ReadOnly())
            context = await lazy.get()
            assert context.sandbox_policy == config.sandbox_policy
            assert await lazy.get() is context
            await context.before_command()
            context.changes().add([Added(config.cwd / "a.txt", FileState(b"new\n"))])
            assert context.changes() is context.changes()
            folder = config.home.path / "outputs" / ID / "turn"
            assert folder.is_dir()
        assert checkpoints.notes[1:] == [("command", "t")]
        assert not folder.exists()

    anyio.run(main)


def test_a_turn_without_calls_creates_nothing(config: Config) -> None:
    with LazyToolContext(session_of(config), Report("1", "t", EventLog()), TurnClock(None)):
        pass
    assert not (config.home.path / "outputs").exists()
