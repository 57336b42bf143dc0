"""Opens stored sessions for a manager."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio.to_thread

from code_core.config.load import Config
from code_core.config.paths import Home, find_home
from code_core.context.git import head_of
from code_core.frozen import frozen
from code_core.session.input_queue import removed_entry
from code_core.session.stored.restore import SessionState
from code_core.store.entries import text_of
from code_core.store.errors import CannotLock, SessionNotFound, StoreError
from code_core.store.record import SessionRecord
from code_core.store.sessions import OpenSession, SessionStore

T = TypeVar("T")


@frozen
class Last:
    """The most recently changed session, in this working directory or, if None, in any."""

    cwd: Path | None = None


@frozen
class Opened:
    """A session from the store.

    Attributes:
        session: its file and lock; None if it was only read.
        provider: the model provider it used; empty if unknown.
    """

    store: SessionStore
    state: SessionState
    session: OpenSession | None = None
    provider: str = ""

    def release(self) -> None:
        """Release the session."""
        if self.session is not None:
            self.session.file.close()
            self.session.lock.release()


def store_of(home: Home | None = None) -> SessionStore:
    """Return the sessions of a home directory, including those of Codex if its home is the fallback.

    Raises:
        ConfigError: no home directory is known.
    """
    home = home if home is not None else find_home(os.environ)
    return SessionStore(home.path, () if home.fallback is None else (home.fallback,))


async def create(config: Config, session_id: str, source: str) -> Opened:
    """Create a session, whose file is created with the first entry.

    Raises:
        StoreError: the home directory is not writable.
    """
    store = store_of(config.home)

    def created() -> OpenSession:
        meta = {"cwd": str(config.cwd), "source": source, "model_provider": config.provider.id}
        return store.create(session_id, {**meta, **_git(config.cwd)})

    try:
        session = await _in_thread(created)
    except StoreError as error:
        raise StoreError(
            f"{error}: make {store.home} writable, set CODE_HOME to another directory, or give --ephemeral "
            "to keep no record"
        ) from error
    return Opened(store, SessionState(notes=_warning(session)), session)


async def open_stored(store: SessionStore, reference: Last | Path | str) -> Opened:
    """Open a stored session exclusively for this process.

    Raises:
        SessionNotFound, AmbiguousSession: no session matches, or several do.
        SessionInUse: another process has it open.
        StoreError: it cannot be read, or the home directory is not writable.
    """

    def opened() -> Opened:
        record = find_session(store, reference)
        try:
            return _opened(store, record, store.resume(record))
        except CannotLock as error:
            raise CannotLock(
                f"{error}: make {store.home} writable and free space, or continue with a copy that is not "
                f"recorded: code fork --ephemeral {record.id}"
            ) from error

    return await _in_thread(opened)


async def fork_stored(store: SessionStore, reference: Last | Path | str, drop_last: int) -> Opened:
    """Open a copy of a stored session; queued input stays with the original.

    Raises:
        SessionNotFound, AmbiguousSession: no session matches, or several do.
        StoreError: it cannot be read, has too few turns, or the home directory is not writable.
    """

    def copied() -> Opened:
        record = find_session(store, reference)
        session = store.resume(store.fork(record, str(uuid4()), drop_last))
        assert session.restored is not None  # noqa: S101 - it was resumed
        if session.restored.queue:
            session.file.write([removed_entry(text_of(one.event, "id")) for one in session.restored.queue])
        opened = _opened(store, record, session)
        return Opened(store, opened.state.without_queue(), session, opened.provider)

    return await _in_thread(copied)


async def read_stored(store: SessionStore, reference: Last | Path | str) -> Opened:
    """Read a stored session without opening it.

    Raises:
        SessionNotFound, AmbiguousSession: no session matches, or several do.
        RolloutUnreadable: the record cannot be read.
    """

    def read() -> Opened:
        record = find_session(store, reference)
        from code_core.store.restore import restore  # a new session restores nothing

        restored = restore(record.path)
        state = SessionState.from_store(restored, record.name or None)
        return Opened(store, state, None, text_of(restored.meta.payload, "model_provider"))

    return await _in_thread(read)


def find_session(store: SessionStore, reference: Last | Path | str) -> SessionRecord:
    """Return the session that `reference` names.

    Raises:
        SessionNotFound, AmbiguousSession: no session matches, or several do.
    """
    match reference:
        case Last(cwd=cwd):
            record = store.last(cwd)
            if record is None:
                where = "" if cwd is None else f" in {cwd}: use --all for other directories"
                raise SessionNotFound(f"no sessions yet{where}")
            return record
        case Path():
            return store.find(os.fspath(reference.absolute()))
        case str():
            return store.find(reference)


def _git(directory: Path) -> dict[str, dict[str, str]]:
    """The Git state of the session's directory, in the form that Codex records."""
    head = head_of(directory)
    git = {name: text for name, text in (("commit_hash", head.commit), ("branch", head.branch)) if text}
    return {"git": git} if git else {}


def _opened(store: SessionStore, record: SessionRecord, session: OpenSession) -> Opened:
    restored = session.restored
    assert restored is not None  # noqa: S101 - it was resumed
    name = record.name if record.id == session.id else ""
    state = SessionState.from_store(restored, name or None).noted(*_warning(session))
    return Opened(store, state, session, text_of(restored.meta.payload, "model_provider"))


def _warning(session: OpenSession) -> tuple[str, ...]:
    return () if session.warning is None else (session.warning,)


async def _in_thread(work: Callable[[], T]) -> T:
    done: list[T] = []
    with anyio.CancelScope(shield=True):  # cancelling would leak a lock that was already taken
        done.append(await anyio.to_thread.run_sync(work))
    return done[0]
