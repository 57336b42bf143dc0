"""What is stored of a session, and for how long."""

import os

import pytest

from code_core.errors import ConfigError
from code_core.protocol.ops import (
    AddToHistory,
    GetHistoryEntryRequest,
)
from code_core.session.parts import Parts
from code_core.session.stored.opening import store_of
from code_core.store.errors import StoreError
from code_core.store.journal import MemoryJournal
from core.session.desk import Desk, turns, until
from core.session.scripted import Reading, ScriptedModel, answer, text


def test_a_session_can_be_kept_only_in_memory(desk: Desk) -> None:
    desk.new(ScriptedModel(answer("ok")), turns("one"), ephemeral=True)
    (desk.home / "config.toml").write_text("[sessions]\nsave = false\n")
    desk.new(ScriptedModel(answer("ok")), turns("one"))
    (desk.home / "config.toml").unlink()
    journal = MemoryJournal()
    model = ScriptedModel(answer("ok"))
    desk.new(model, turns("one"), Parts(client=model, journal=journal))
    assert journal.entries
    assert desk.rollouts() == []
    assert sorted(path.name for path in desk.home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_an_error_and_leaves_nothing_locked(desk: Desk) -> None:
    (desk.home / "locks").write_text("a file")
    with pytest.raises(StoreError, match="--ephemeral"):
        desk.new(ScriptedModel(), turns("one"))
    (desk.home / "locks").unlink()
    (desk.home / "sessions").write_text("a file")

    async def fails(reading: Reading) -> None:
        await reading.send(text("one"))
        end = await reading.ended()
        assert end.type == "error"
        assert "cannot write the session" in end.message

    model = ScriptedModel(answer("ok"))
    desk.new(model, fails)
    assert model.prompts == []  # the turn stopped before anything that could not be recorded
    assert list((desk.home / "locks").glob("*.lock")) == []  # besides the time of the last cleaning


def test_the_lock_is_released_if_the_settings_are_invalid(desk: Desk) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one"))
    with pytest.raises(ConfigError):
        desk.resume(session, ScriptedModel(), turns(), Parts(source="cli"), model_provider="unknown")
    store = store_of()
    assert store.holder(store.find(session)) is None
    assert list((desk.home / "locks").glob("*.lock")) == []  # besides the time of the last cleaning


def test_typed_input_is_kept_across_sessions_unless_the_settings_disable_it(desk: Desk) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(AddToHistory(text="words"))
        await until((desk.home / "history.jsonl").exists)
        await reading.send(GetHistoryEntryRequest())
        newest = await reading.until("get_history_entry_response")
        assert (newest.entry.text, newest.entry.session_id) == ("words", reading.conversation.id)
        await reading.send(GetHistoryEntryRequest(log_id=newest.log_id + 1, offset=0))
        assert (await reading.until("get_history_entry_response")).entry is None

    desk.new(ScriptedModel(), script)
    (desk.home / "history.jsonl").unlink()

    async def silent(reading: Reading) -> None:
        await reading.send(AddToHistory(text="words"))
        await reading.send(GetHistoryEntryRequest())
        response = await reading.until("get_history_entry_response")
        assert (response.entry, response.count) == (None, 0)

    desk.new(ScriptedModel(), silent, ephemeral=True)
    (desk.home / "config.toml").write_text('[history]\npersistence = "none"\n')
    desk.new(ScriptedModel(), silent)
    assert not (desk.home / "history.jsonl").exists()


def test_old_outputs_are_deleted_but_not_those_of_an_open_session(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_core.session.stored.stored_session.QUIET_SECONDS", 0)
    (desk.home / "config.toml").write_text("[outputs]\nkeep_days = 1\n[checkpoints]\nkeep_days = 0\n")
    old = desk.home / "outputs" / "11111111-1111-4111-8111-111111111111"
    kept = desk.home / "checkpoints" / "11111111-1111-4111-8111-111111111111"
    ours = "22222222-2222-4222-8222-222222222222"
    for directory in (old, kept, desk.home / "outputs" / ours):
        directory.mkdir(parents=True)
        (directory / "c1.txt").write_text("output")
        for path in (directory / "c1.txt", directory):
            os.utime(path, (1_000_000, 1_000_000))

    async def script(_reading: Reading) -> None:
        await until(lambda: not old.exists())

    desk.new(ScriptedModel(), script, Parts(client=ScriptedModel(), session_id=ours))
    assert kept.exists()
    assert (desk.home / "outputs" / ours / "c1.txt").exists()
