"""Undo and redo in a session that is not open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code_core.session.stored.opening import store_of
from code_core.session.stored.undo_stored import step_stored
from code_core.store.errors import CheckpointError
from code_core.store.rollout import RolloutFile
from core.session.desk import Desk, step, turns
from core.session.scripted import ScriptedModel, answer

PATCH = "*** Begin Patch\n*** Update File: file\n@@\n-before\n+after\n*** End Patch"


def patched(desk: Desk) -> str:
    """The id of a session that changed `file` from "before" to "after"."""
    (desk.work / "file").write_text("before\n")
    model = ScriptedModel(step("shell", {"command": ["apply_patch", PATCH]}, 1), answer("ok"))
    session = desk.new(model, turns("patch it"))
    assert (desk.work / "file").read_text() == "after\n"
    return session


def test_the_files_are_restored_and_the_model_is_informed(desk: Desk) -> None:
    session, file, store = patched(desk), desk.work / "file", store_of()
    undone = step_stored(store, store.find(session), "undo")
    assert [Path(path) for path in undone.restored] == [file]
    assert file.read_text() == "before\n"
    step_stored(store, store.find(session), "redo")
    assert file.read_text() == "after\n"
    model = ScriptedModel(answer("ok"))
    desk.resume(session, model, turns("and now?"))
    sent = model.request_text()
    assert sent.index("undid your changes to") < sent.index("brought back your changes to")
    assert sent.count(str(file)) >= 2


def test_a_session_is_released_with_everything_on_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session, store, calls = patched(desk), store_of(), list[str]()

    def noting(name: str, ours: Callable[..., None]) -> Callable[..., None]:
        def note(*arguments: Any) -> None:
            calls.append(name)
            ours(*arguments)

        return note

    for name in ("write", "sync", "close"):
        monkeypatch.setattr(RolloutFile, name, noting(name, getattr(RolloutFile, name)))
    step_stored(store, store.find(session), "undo")
    assert calls == ["write", "sync", "close"]
    assert store.holder(store.find(session)) is None


def test_the_model_is_not_informed_of_a_step_that_restores_nothing(desk: Desk) -> None:
    session, store = patched(desk), store_of()
    (desk.work / "file").write_text("the user's\n")
    before = desk.rollouts()[0].read_bytes()
    outcome = step_stored(store, store.find(session), "undo")
    assert outcome.restored == ()
    assert desk.rollouts()[0].read_bytes() == before
    assert (desk.work / "file").read_text() == "the user's\n"


def test_nothing_to_undo_is_an_error_that_says_why(desk: Desk) -> None:
    session, store = patched(desk), store_of()
    with pytest.raises(CheckpointError, match=rf"^nothing to redo in the session {session}$"):
        step_stored(store, store.find(session), "redo")

    (desk.home / "config.toml").write_text("[checkpoints]\nenabled = false\n")
    quiet = desk.new(ScriptedModel(answer("ok")), turns("hello"))
    with pytest.raises(
        CheckpointError,
        match=rf"^nothing to undo in the session {quiet}: no checkpoints of its files are kept$",
    ):
        step_stored(store, store.find(quiet), "undo")
    assert store.holder(store.find(quiet)) is None
