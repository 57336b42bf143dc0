"""The stored sessions of a home directory: create, resume, fork, archive, delete."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.frozen import frozen
from code_core.store import lock
from code_core.store.catalog import Catalog
from code_core.store.entries import ORIGINATOR, JsonObject, SessionMeta
from code_core.store.errors import StoreError
from code_core.store.layout import (
    archive_directory,
    checkpoints_of,
    dated_path,
    is_session_id,
    make_private_directory,
    outputs_of,
    rollout_path,
)
from code_core.store.lock import Holder, SessionLock
from code_core.store.record import SessionRecord
from code_core.store.rollout import RolloutFile
from code_core.version import VERSION

if TYPE_CHECKING:
    from code_core.store.restore import Restored


@frozen
class OpenSession:
    """A session opened exclusively by this process until `lock` is released.

    Attributes:
        restored: its earlier state; None for a new session.
        warning: a warning for the user about the lock, or None.
    """

    id: str
    file: RolloutFile
    lock: SessionLock
    restored: "Restored | None" = None

    @property
    def warning(self) -> str | None:
        """See the class."""
        return self.lock.warning


class SessionStore(Catalog):
    """The sessions of a home directory, with methods to change them. No method imports pydantic or anyio."""

    def create(self, session_id: str, meta: JsonObject) -> OpenSession:
        """Create a session, whose file is created with the first entry.

        Args:
            session_id: a UUID.
            meta: fields of the first entry: `cwd`, `source`, `git`, `model_provider`, …; `id`,
                `timestamp`, `originator` and `cli_version` are added.

        Raises:
            SessionInUse: a session with this id is open.
            StoreError: the home directory is not writable.
        """
        path, whole = self._new(session_id, meta)
        return OpenSession(session_id, RolloutFile(path, whole), lock.acquire(self.home, session_id))

    def resume(self, session: SessionRecord | Path) -> OpenSession:
        """Open a stored session to continue it.

        Raises:
            SessionInUse: another process, or another session in this one, has it open.
            RolloutUnreadable: its file cannot be read.
            StoreError: the home directory is not writable.
        """
        path = session if isinstance(session, Path) else session.path
        from code_core.store.restore import read_meta, restore  # not needed for a new session

        session_id = read_meta(path).id if isinstance(session, Path) else session.id
        held = lock.acquire(self.home, session_id)
        try:
            restored = restore(path)
        except BaseException:
            held.release()
            raise
        file = RolloutFile(path, None, restored.next_ordinal, foreign=restored.foreign)
        return OpenSession(session_id, file, held, restored)

    def fork(
        self, session: SessionRecord, new_id: str, drop_last: int = 0, meta: JsonObject | None = None
    ) -> Path:
        """Copy a session, which may be open, without its last `drop_last` turns, and return the copy.

        Raises:
            RolloutUnreadable: the session cannot be read.
            StoreError: it has fewer turns, or the copy cannot be written.
        """
        from code_core.store.forking import copy_rollout
        from code_core.store.restore import read_meta

        old = read_meta(session.path).payload
        fields = {**old, **(meta or {}), "forked_from_id": session.id}
        path, whole = self._new(new_id, fields)
        copy_rollout(session.path, path, whole, _timestamp(), drop_last)
        return path

    def archive(self, session: SessionRecord) -> Path:
        """Hide the session from the usual lists and return its new path.

        Raises:
            SessionInUse: it is open.
            StoreError: its file cannot be moved.
        """
        return self._move(session, archive_directory(self._home_of(session)) / session.path.name, "archive")

    def unarchive(self, session: SessionRecord) -> Path:
        """Return an archived session to the usual lists and return its new path.

        Raises:
            SessionInUse: it is open.
            StoreError: its file cannot be moved.
        """
        target = dated_path(self._home_of(session), session.path.name)
        if target is None:
            raise StoreError(f"cannot unarchive {session.path}: its name has no date")
        return self._move(session, target, "unarchive")

    def delete(self, session: SessionRecord) -> None:
        """Delete the session with its outputs and checkpoints.

        Raises:
            SessionInUse: it is open.
            StoreError: its file cannot be deleted.
        """
        import shutil

        held = lock.acquire(self.home, session.id)
        try:
            session.path.unlink(missing_ok=True)
            for directory in (outputs_of(self.home, session.id), checkpoints_of(self.home, session.id)):
                if directory.exists():
                    shutil.rmtree(directory)
        except OSError as error:
            raise StoreError(f"cannot delete the session {session.path}: {error.strerror}") from error
        finally:
            held.release()

    def holder(self, session: SessionRecord) -> Holder | None:
        """Return who has the session open, or None."""
        return lock.holder_of(self.home, session.id)

    def _new(self, session_id: str, fields: JsonObject) -> tuple[Path, SessionMeta]:
        if not is_session_id(session_id):
            raise StoreError(f"{session_id[:80]!r} cannot be the id of a session: it must be a UUID")
        added = {"id": session_id, "timestamp": _timestamp()}
        by_us = {"originator": ORIGINATOR, "cli_version": VERSION}
        path = rollout_path(self.home, session_id, datetime.now().astimezone())
        return path, SessionMeta({**added, **by_us, **fields, **added, "cli_version": VERSION})

    def _home_of(self, session: SessionRecord) -> Path:
        return next((home for home in self.homes if session.path.is_relative_to(home)), self.home)

    def _move(self, session: SessionRecord, target: Path, what: str) -> Path:
        held = lock.acquire(self.home, session.id)
        try:
            if target.exists():
                raise StoreError(f"cannot {what} the session: {target} exists")
            make_private_directory(target.parent)
            session.path.rename(target)
        except OSError as error:
            raise StoreError(f"cannot {what} the session {session.path}: {error.strerror}") from error
        finally:
            held.release()
        return target


def _timestamp() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
