"""A SQLite cache of what lists show of sessions, updated from the files on every use.

It can be deleted at any time. A damaged index is rebuilt; if it cannot be written, an in-memory
copy is used.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from code_core.store.errors import StoreError
from code_core.store.layout import RolloutStat, make_private_directory, open_private, walk_rollouts
from code_core.store.names import names_file, read_names
from code_core.store.record import SessionRecord

T = TypeVar("T")

VERSION = 1
_PATIENCE = 0.25  # seconds to wait for another process to finish writing

COLUMNS = tuple(field.name for field in fields(SessionRecord))
"""The columns that form a `SessionRecord`, in its order."""

_SCHEMA = f"""
CREATE TABLE sessions (
    id TEXT NOT NULL, path TEXT PRIMARY KEY, updated_ns INTEGER NOT NULL, bytes INTEGER NOT NULL,
    archived INTEGER NOT NULL, {", ".join(f"{name} TEXT NOT NULL" for name in COLUMNS[5:])},
    inode INTEGER NOT NULL, haystack TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_update ON sessions (archived, updated_ns, path);
CREATE INDEX by_id ON sessions (id);
CREATE TABLE names_seen (key TEXT NOT NULL);
PRAGMA user_version = {VERSION};
"""
_INSERT = f"INSERT OR REPLACE INTO sessions VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"  # noqa: S608 - marks


class SessionIndex:
    """The index of the sessions below `homes`, stored in the first of them next to the names.

    Attributes:
        problem: why the file could not be used last time, or None.
    """

    def __init__(self, homes: Sequence[Path]) -> None:
        self.problem: str | None = None
        self._homes = tuple(homes)
        self._path = homes[0] / f"sessions-{VERSION}.sqlite"

    def query(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `work` on an up-to-date index.

        Raises:
            StoreError: SQLite fails even in memory.
        """
        try:
            return self._run(self._file(), work)
        except sqlite3.OperationalError as error:  # read-only, full or locked: the file itself is intact
            self._note(f"cannot use the index of sessions {self._path}: {error}")
        except sqlite3.DatabaseError as error:
            self._note(f"the index of sessions was damaged and is being rebuilt: {error}")
            self._delete()
            with suppress(sqlite3.Error):
                return self._run(self._file(), work)
        try:
            return self._run(self._memory(), work)
        except sqlite3.Error as error:
            raise StoreError(f"cannot list the sessions: {error}") from error

    def _note(self, problem: str) -> None:
        import logging  # slow to import

        self.problem = problem
        if (logger := logging.getLogger("code_core")).hasHandlers():  # otherwise it would print to stderr
            logger.warning("%s", problem)

    def _run(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        with closing(connection):
            self._refresh(connection)
            return work(connection)

    def _file(self) -> sqlite3.Connection:
        try:
            make_private_directory(self._path.parent)
            os.close(open_private(self._path, os.O_RDWR | os.O_CREAT))  # SQLite would make it world-readable
        except OSError as error:
            raise sqlite3.OperationalError(error.strerror) from error
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _memory(self) -> sqlite3.Connection:
        """An in-memory copy of the file, as far as it can be read."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            uri = f"{self._path.as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as stored:
                stored.backup(connection)
            _prepare(connection)
        except sqlite3.Error:
            connection.close()
            connection = sqlite3.connect(":memory:", isolation_level=None)
            _prepare(connection)
        return connection

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(f"{self._path}{suffix}")  # noqa: PTH108 - a text, for the suffix

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Update the index from the files, opening only those that changed."""
        known = {
            os.fsdecode(path): (updated, size, inode, preview)
            for path, updated, size, inode, preview in connection.execute(
                "SELECT path, updated_ns, bytes, inode, preview <> '' FROM sessions"
            )
        }
        grown: list[tuple[int, int, str | bytes]] = []
        changed: list[RolloutStat] = []
        for rollout in self._walk():
            before = known.pop(rollout.path, None)
            if before is None or before[2] != rollout.inode or before[1] > rollout.size:
                changed.append(rollout)
            elif before[:2] != (rollout.changed_ns, rollout.size):
                if before[3]:  # the head of a file never changes, so reuse what it shows
                    grown.append((rollout.changed_ns, rollout.size, stored_path(rollout.path)))
                else:
                    changed.append(rollout)
        key = self._names_key()
        renamed = connection.execute("SELECT key FROM names_seen").fetchall() != [(key,)]
        if not (known or grown or changed or renamed):
            return
        names = read_names(self._homes[0]) if changed or renamed else {}
        rows = _rows(changed, names) if changed else []
        with _transaction(connection):
            connection.executemany(
                "DELETE FROM sessions WHERE path = ?", [(stored_path(path),) for path in known]
            )
            connection.executemany("UPDATE sessions SET updated_ns = ?, bytes = ? WHERE path = ?", grown)
            connection.executemany(_INSERT, rows)
            if renamed:
                _rename(connection, names)
                connection.execute("DELETE FROM names_seen")
                connection.execute("INSERT INTO names_seen VALUES (?)", (key,))

    def _walk(self) -> Iterator[RolloutStat]:
        for home in self._homes:
            yield from walk_rollouts(home)

    def _names_key(self) -> str:
        try:
            status = names_file(self._homes[0]).stat()
        except OSError:
            return ""
        return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
        with _transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone() != (
                VERSION,
            ):  # another process may have been faster
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)


class _transaction:  # noqa: N801 - reads as the statement it is
    """A transaction that excludes other writers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        else:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")


def _rows(rollouts: Sequence[RolloutStat], names: dict[str, str]) -> list[tuple[object, ...]]:
    from code_core.store.head import read_record  # rarely needed: most lists find no changes

    return [_row(read_record(rollout), rollout, names) for rollout in rollouts if rollout.id]


def _row(record: SessionRecord, rollout: RolloutStat, names: dict[str, str]) -> tuple[object, ...]:
    name = names.get(record.id, "")
    values = [getattr(record, column) for column in COLUMNS]
    values[COLUMNS.index("path")] = stored_path(rollout.path)
    values[COLUMNS.index("name")] = name
    return (*map(_storable, values), rollout.inode, _haystack(record, name))


def stored_path(path: str) -> str | bytes:
    """Return a path as the index stores it: bytes if it is not UTF-8; `os.fsdecode` accepts both."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _storable(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _haystack(record: SessionRecord, name: str) -> str:
    """The case-folded text that a search looks at."""
    text = f"{name}\n{record.preview}\n{record.cwd}\n{record.git_branch}\n{record.id}".casefold()
    return text.encode("utf-8", "replace").decode()


def _rename(connection: sqlite3.Connection, names: dict[str, str]) -> None:
    known = connection.execute("SELECT path, id, name, haystack FROM sessions").fetchall()
    updates = [
        (name, f"{name.casefold()}\n{haystack.partition(chr(10))[2]}", path)
        for path, session_id, old, haystack in known
        if (name := names.get(session_id, "")) != old
    ]
    connection.executemany("UPDATE sessions SET name = ?, haystack = ? WHERE path = ?", updates)
