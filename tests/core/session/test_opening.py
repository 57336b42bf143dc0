"""How a manager opens stored sessions, and what the user learns if that fails."""

import json
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from code_core.config.load import Config, load_config
from code_core.config.paths import Home
from code_core.protocol.ops import SetSessionName
from code_core.session.stored import opening
from code_core.session.stored.opening import (
    Last,
    Opened,
    create,
    fork_stored,
    open_stored,
    read_stored,
    store_of,
)
from code_core.store import lock
from code_core.store.entries import EventEntry
from code_core.store.errors import CannotLock, SessionInUse, SessionNotFound, StoreError
from code_core.store.sessions import SessionStore
from core.session.desk import Desk, turns
from core.session.scripted import Reading, ScriptedModel, answer, queued, scripted_config

ID = "11111111-1111-4111-8111-111111111111"
T = TypeVar("T")


def run(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    return anyio.run(work, *arguments)


def stored(desk: Desk) -> str:
    async def script(reading: Reading) -> None:
        await reading.send(SetSessionName(name="mine"))
        await turns("one", "two")(reading)

    return desk.new(ScriptedModel(answer("ok"), answer("ok")), script)


def items(opened: Opened) -> int:
    return len(opened.state.items)


def weak_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make locks warn, as on a file system without them."""
    acquire = lock.acquire

    def warning(home: Path, session_id: str) -> lock.SessionLock:
        held = acquire(home, session_id)
        held.warning = "locks are weak here"
        return held

    monkeypatch.setattr(lock, "acquire", warning)


def test_sessions_of_the_home_and_of_codex_as_the_fallback_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, codex = tmp_path / "ours", tmp_path / "codex"
    folder = codex / "sessions" / "2026" / "01" / "01"
    folder.mkdir(parents=True)
    meta = {"timestamp": "", "type": "session_meta", "payload": {"id": ID, "cwd": "/"}}
    (folder / f"rollout-2026-01-01T00-00-00-{ID}.jsonl").write_text(json.dumps(meta) + "\n")
    assert opening.find_session(store_of(Home(ours, codex)), ID).id == ID
    with pytest.raises(SessionNotFound):
        opening.find_session(store_of(Home(ours, None)), ID)
    monkeypatch.setenv("CODE_HOME", str(codex))
    assert store_of().home == codex


def test_the_record_contains_where_a_session_began(config: Config) -> None:
    git = ["git", "-C", str(config.cwd), "-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q", "-b", "topic"], ["commit", "-q", "--allow-empty", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    meta = begun(config)
    assert (meta["cwd"], meta["source"], meta["model_provider"]) == (
        str(config.cwd),
        "cli",
        config.provider.id,
    )
    assert meta["git"] == {"branch": "topic", "commit_hash": commit.stdout.strip()}


def test_outside_a_repository_the_record_contains_nothing_about_git(config: Config) -> None:
    assert "git" not in begun(config)


def test_a_branch_without_a_commit_is_recorded_by_name(config: Config) -> None:
    subprocess.run(["git", "init", "-q", "-b", "empty", str(config.cwd)], check=True)
    assert begun(config)["git"] == {"branch": "empty"}


def begun(config: Config) -> dict[str, Any]:
    """The first line of a new session's file."""
    opened = run(create, config, ID, "cli")
    assert opened.session is not None
    assert opened.state.notes == ()
    opened.session.file.write([EventEntry({"type": "x"})])
    path = opened.session.file.path
    opened.release()
    payload = json.loads(path.read_text().splitlines()[0])["payload"]
    assert isinstance(payload, dict)
    return payload


def test_the_error_for_an_unwritable_home_says_what_to_do(tmp_path: Path) -> None:
    config = scripted_config(tmp_path)
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(StoreError, match=f"make {tmp_path} writable, set CODE_HOME .* or give --ephemeral"):
        run(create, config, ID, "cli")


def test_a_weak_lock_causes_a_warning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = stored(desk)
    weak_locks(monkeypatch)
    new = run(create, load_config(desk.overrides(cwd=desk.work)), ID, "cli")
    resumed = run(open_stored, store_of(), session)
    assert new.state.notes == resumed.state.notes == ("locks are weak here",)
    new.release()
    resumed.release()


def test_an_open_session_is_exclusive_until_it_is_released(desk: Desk) -> None:
    session, store = stored(desk), store_of()
    opened = run(open_stored, store, session)
    assert opened.store is store
    assert opened.provider == "replay"
    assert (opened.state.session_id, opened.state.name) == (session, "mine")
    assert items(opened) == 5
    with pytest.raises(SessionInUse):
        run(open_stored, store, session)
    opened.release()
    assert opened.session is not None
    with pytest.raises(StoreError, match="closed"):
        opened.session.file.write([])
    run(open_stored, store, session).release()


def test_a_session_that_cannot_be_locked_can_be_copied(desk: Desk) -> None:
    session = stored(desk)
    for file in (desk.home / "locks").iterdir():
        file.unlink()
    (desk.home / "locks").rmdir()
    (desk.home / "locks").write_text("a file")
    with pytest.raises(CannotLock, match=rf"make {desk.home} writable .*: code fork --ephemeral {session}"):
        run(open_stored, store_of(), session)
    read = run(read_stored, store_of(), session)
    read.release()
    assert (read.session, read.provider, read.state.session_id) == (None, "replay", session)
    assert (read.state.name, items(read)) == ("mine", 5)


def test_a_fork_has_no_name_no_queue_and_fewer_turns(desk: Desk) -> None:
    async def script(reading: Reading) -> None:
        await turns("one", "two")(reading)
        await reading.send(SetSessionName(name="mine"))
        gate = reading.conversation.session.services.client
        assert isinstance(gate, ScriptedModel)
        gate.scripts.append([anyio.Event()])
        await reading.send(queued("three"))
        await reading.until("user_message")
        await reading.send(queued("waits", id="q"))
        await reading.until("queue_changed")
        await anyio.wait_all_tasks_blocked()

    session = desk.new(ScriptedModel(answer("ok"), answer("ok")), script)
    forked = run(fork_stored, store_of(), session, 2)
    assert forked.session is not None
    assert forked.state.session_id == forked.session.id != session
    assert (forked.state.name, forked.provider, items(forked)) == (None, "replay", 3)
    assert forked.state.queue == ()
    forked.release()
    again = run(open_stored, store_of(), forked.session.id)
    assert again.state.queue == ()
    again.release()
    original = run(read_stored, store_of(), session)
    assert [one.id for one in original.state.queue] == ["q"]


def test_a_session_is_found_by_id_path_name_or_as_the_last_one(desk: Desk) -> None:
    session, store = stored(desk), store_of()
    path = desk.rollouts()[0]
    for reference in (session, session[:8], "mine", path, Last(desk.work), Last()):
        assert opening.find_session(store, reference).id == session
    with pytest.raises(SessionNotFound, match=r"^no sessions yet$"):
        opening.find_session(SessionStore(desk.work), Last())
    with pytest.raises(SessionNotFound, match=rf"no sessions yet in {desk.home}: use --all"):
        opening.find_session(store, Last(desk.home))


def test_a_relative_path_is_resolved_against_the_working_directory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = stored(desk)
    path = desk.rollouts()[0]
    monkeypatch.chdir(path.parent)
    assert opening.find_session(store_of(), Path(path.name)).id == session


def test_an_interrupt_waits_for_a_session_that_is_being_opened(desk: Desk) -> None:
    session, opened = stored(desk), list[Opened]()

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            opened.append(await open_stored(store_of(), session))

    anyio.run(main)
    assert len(opened) == 1
    opened[0].release()
