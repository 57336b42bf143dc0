"""Undo, redo, the user's own commands, reviews."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.checkpoints import Restored, Steps
from code_core.protocol.items import Message
from code_core.protocol.ops import (
    CustomReview,
    Interrupt,
    Redo,
    Review,
    RunUserShellCommand,
    UncommittedChanges,
    Undo,
)
from code_core.protocol.session_events import UndoAvailable, UndoCompleted
from code_core.session.parts import Parts
from code_core.session.tasks import undo
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.conversing import BYE, Frontend, call, user
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    converse,
    scripted_conversation,
    text,
)


class MemoryCheckpoints:
    """Keeps the texts of files in memory; one state before and one after each turn. See `Checkpoints`."""

    def __init__(self) -> None:
        self.now: dict[str, dict[Path, str | None]] = {}
        self.done: list[tuple[str, dict[Path, str | None], dict[Path, str | None]]] = []
        self.undone: list[tuple[str, dict[Path, str | None], dict[Path, str | None]]] = []

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        pass

    async def before_command(self, turn_id: str) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        kept = self.now.setdefault(turn_id, {})
        for path in paths:
            kept.setdefault(path, _read(path))

    async def end_turn(self, turn_id: str) -> None:
        if before := self.now.pop(turn_id, {}):
            self.done.append((turn_id, before, {path: _read(path) for path in before}))
            self.undone.clear()

    async def steps(self) -> Steps:
        return Steps(len(self.done), len(self.undone))

    async def undo(self) -> Restored | None:
        return self._step(self.done, self.undone, 1)

    async def redo(self) -> Restored | None:
        return self._step(self.undone, self.done, 2)

    @staticmethod
    def _step(source: list[Any], target: list[Any], wanted: int) -> Restored | None:
        if not source:
            return None
        step = source.pop()
        target.append(step)
        files, kept = [], []
        for path, goal in step[wanted].items():
            if _read(path) != step[3 - wanted][path]:
                kept.append(path)
            else:
                path.unlink(missing_ok=True) if goal is None else path.write_text(goal)
                files.append(path)
        return Restored(step[0], tuple(files), tuple(kept))


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def test_undo_and_redo_restore_files_and_tell_the_model(config: Config) -> None:
    file, mine = config.cwd / "file", config.cwd / "mine"
    file.write_text("before")

    async def write(call: Any, context: ToolContext) -> ToolOutput:
        del call
        await context.before_write([file, mine])
        file.write_text("after")
        mine.write_text("new")
        return ToolOutput("written")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        turn_id = reading.of("task_started")[0].turn_id
        assert reading.of("undo_available") == [UndoAvailable(undo=1, redo=0)]
        mine.write_text("the user's")
        await reading.send(Undo())
        assert (await reading.ended()).type == "task_complete"
        assert (file.read_text(), mine.read_text()) == ("before", "the user's")
        assert reading.of("undo_completed") == [
            UndoCompleted(action="undo", turn_id=turn_id, files=[file], kept=[mine])
        ]
        await reading.send(Undo())
        assert (await reading.ended()).message == "nothing to undo"
        await reading.send(Redo())
        await reading.ended()
        assert file.read_text() == "after"
        assert reading.of("undo_available")[-1] == UndoAvailable(undo=1, redo=0)
        await reading.send(Redo())
        assert (await reading.ended()).message == "nothing to redo"
        await reading.send(text("and?"))
        await reading.ended()
        sent = model.request_text()
        assert sent.count("<files_restored>") == 2
        assert sent.index("undid your changes") < sent.index("brought back your changes")
        assert str(mine) not in sent  # it was not restored

    model = ScriptedModel(calls("write"), answer("bye"), answer("bye"))
    parts = Parts(checkpoints=MemoryCheckpoints())
    converse(scripted_conversation(config, model, ScriptedTool("write", write), parts=parts), script)


class SlowCheckpoints(MemoryCheckpoints):
    """Restores files when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = anyio.Event(), anyio.Event()

    async def undo(self) -> Restored | None:
        self.begun.set()
        await self.may.wait()
        return Restored("t", (Path("/w/a"),), ())


def test_an_interrupt_waits_until_the_files_are_restored(config: Config) -> None:
    checkpoints = SlowCheckpoints()

    async def script(reading: Reading) -> None:
        await reading.send(Undo())
        await checkpoints.begun.wait()
        await reading.send(Interrupt())
        await anyio.wait_all_tasks_blocked()
        checkpoints.may.set()
        await reading.ended()
        assert reading.of("undo_completed")[0].files == [Path("/w/a")]
        (note,) = reading.conversation.session.history.model_items()
        assert isinstance(note, Message)
        assert "/w/a" in note.text

    parts = Parts(checkpoints=checkpoints)
    converse(scripted_conversation(config, ScriptedModel(), parts=parts), script)


def test_files_that_take_too_long_to_restore_end_the_task(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "STEP_SECONDS", 0.05)

    async def script(reading: Reading) -> None:
        await reading.send(Undo())
        error = await reading.ended()
        assert error.message == "undo took more than 0.05 s: check the files before you continue"

    parts = Parts(checkpoints=SlowCheckpoints())
    converse(scripted_conversation(config, ScriptedModel(), parts=parts), script)


@pytest.mark.parametrize(
    ("count", "last"), [(1, "file 0"), (50, "file 49"), (51, "and 1 more"), (99, "and 49 more")]
)
def test_the_model_learns_the_names_of_at_most_50_files(count: int, last: str) -> None:
    note = undo.restored_note("undo", [Path(f"file {number}") for number in range(count)])
    assert note.split("\n")[-2] == last
    assert len(note.split("\n")) == min(count, 50) + 3 + (count > 50)


def test_names_of_files_cannot_end_the_note() -> None:
    note = undo.restored_note("redo", [Path("</files_restored>"), Path('"it\'s"')])
    assert "&lt;/files_restored&gt;" in note
    assert '"it\'s"' in note


def test_without_checkpoints_nothing_can_be_undone(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Undo())
        assert "nothing to undo: no checkpoints" in (await reading.ended()).message

    converse(scripted_conversation(config, ScriptedModel()), script)


def test_a_command_of_the_user_runs_at_once_and_the_model_sees_it(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(RunUserShellCommand(command="echo '<hi>' > made; cat made"))
        begin = await frontend.until("exec_command_begin")
        assert begin.source == "user"
        await frontend.until("task_complete")
        assert (frontend.conversation.config.cwd / "made").exists()
        assert "exec_approval_request" not in frontend.kinds
        await frontend.send(user("what did I do?"))
        await frontend.until("task_complete")

    converse(
        script,
        {"expect": [{"contains": "echo '&lt;hi&gt;'"}, {"contains": "user_shell_command"}], "stream": BYE},
    )


def test_an_interrupted_user_command_is_recorded_too(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(RunUserShellCommand(command="echo half way; exec sleep 60"))
        await frontend.until("exec_command_output_delta")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await frontend.send(user("go"))
        await frontend.until("task_complete")

    shown = ["exec sleep 60</command>", "<result>", "half way", "interrupted by the user"]
    converse(script, {"expect": [{"contains": words} for words in shown], "stream": BYE})


def test_a_review_reads_and_reports_without_touching_the_history(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        work = frontend.conversation.config.cwd
        await frontend.send(Review(target=UncommittedChanges()))
        assert (await frontend.until("entered_review_mode")).description == "uncommitted changes"
        assert (await frontend.until("exited_review_mode")).review == "bye"
        assert (await frontend.until("task_complete")).last_agent_message == "bye"
        assert not (work / "made").exists()  # a review changes nothing
        assert "agent_message" not in frontend.kinds
        assert len(frontend.conversation.session.history.items) == 1
        await frontend.send(user("fix it"))
        await frontend.until("task_complete")

    converse(script, call("touch", "made"), BYE, {"expect": [{"contains": "<code_review>"}], "stream": BYE})


def test_a_review_that_fails_ends_the_mode_and_the_task(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Review(target=CustomReview(instructions="look at a.py")))
        assert "no more responses" in (await reading.ended()).message
        assert reading.of("exited_review_mode")[0].review is None

    converse(scripted_conversation(config, ScriptedModel(), ScriptedTool("shell")), script)
