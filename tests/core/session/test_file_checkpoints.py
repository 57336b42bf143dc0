"""Undo and redo of real files."""

from typing import Any

import pytest

from code_core.protocol.ops import (
    Redo,
    Undo,
)
from core.session.desk import Desk, step, turns
from core.session.scripted import Reading, ScriptedModel, answer


def test_turns_are_undone_after_a_resume(desk: Desk) -> None:
    file, made = desk.work / "file", desk.work / "made"
    file.write_text("before\n")
    patch = "*** Begin Patch\n*** Update File: file\n@@\n-before\n+after\n*** End Patch"
    command = {
        "command": ["bash", "-c", "mkdir -p deep && echo new > made && mv gone deep/er && chmod 700 file"]
    }
    (desk.work / "gone").write_text("precious")
    mode = file.stat().st_mode

    model = ScriptedModel(
        step("shell", {"command": ["apply_patch", patch]}, 1),
        answer("ok"),
        step("shell", command, 2),
        answer("ok"),
    )

    async def both(reading: Reading) -> None:
        await turns("patch it", "change it")(reading)
        assert [(one.undo, one.redo) for one in reading.of("undo_available")] == [(1, 0), (2, 0)]

    session = desk.new(model, both)
    assert made.exists()

    async def back(reading: Reading) -> None:
        await reading.send(Undo())
        assert (await reading.ended()).type == "task_complete"
        assert not made.exists()
        assert not (desk.work / "deep").exists()
        assert (desk.work / "gone").read_text() == "precious"
        assert (file.read_text(), file.stat().st_mode) == ("after\n", mode)
        await reading.send(Undo())
        await reading.ended()
        assert file.read_text() == "before\n"
        await reading.send(Undo())
        assert (await reading.ended()).message == "nothing to undo"

    desk.resume(session, ScriptedModel(), back)

    async def forth(reading: Reading) -> None:
        file.write_text("the user's\n")
        await reading.send(Redo())
        await reading.ended()
        assert reading.of("undo_completed")[0].kept == [file]
        assert file.read_text() == "the user's\n"
        await reading.send(Redo())
        await reading.ended()
        assert made.exists()

    desk.resume(session, ScriptedModel(), forth)


def test_damaged_checkpoints_are_refused_in_one_line(desk: Desk) -> None:
    async def refused(reading: Reading) -> None:
        await reading.send(Undo())
        message = (await reading.ended()).message
        assert "damaged" in message
        assert "\n" not in message

    session = desk.new(ScriptedModel(answer("ok")), turns("one"))
    directory = desk.home / "checkpoints" / session
    directory.mkdir(parents=True)
    (directory / "turns.jsonl").write_text("no json\n")
    desk.resume(session, ScriptedModel(), refused)


def test_commands_in_a_home_are_not_covered_and_the_user_learns_it_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(desk.work))

    def touch(number: int) -> list[Any]:
        return step("shell", {"command": ["touch", f"made{number}"]}, number)

    async def script(reading: Reading) -> None:
        await turns("one", "two")(reading)
        assert [
            one.message for one in reading.of("background_event") if "undo covers patches" in one.message
        ] == ["the working directory holds your home: undo covers patches here, not what commands change"]
        assert reading.of("undo_available") == []

    desk.new(ScriptedModel(touch(1), answer("ok"), touch(2), answer("ok")), script)
