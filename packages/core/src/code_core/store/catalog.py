"""Finds the stored sessions of a home directory. Imports little, because listing runs in its own process.

SQLite is imported by the first search, because a process that begins a session does not search.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.store import names
from code_core.store.errors import AmbiguousSession, SessionNotFound
from code_core.store.layout import is_session_id
from code_core.store.record import SessionRecord

if TYPE_CHECKING:
    from code_core.store.index import SessionIndex
    from code_core.store.listing import Page, Query

SHORTEST_PREFIX = 4


class Catalog:
    """The sessions below `home`, and those below `others`, where no new sessions are created.

    All methods read or write files: call them in a thread.
    """

    def __init__(self, home: Path, others: Sequence[Path] = ()) -> None:
        self.home = home
        self.homes = (home, *others)

    @cached_property
    def _index(self) -> "SessionIndex":
        from code_core.store.index import SessionIndex

        return SessionIndex(self.homes)

    @property
    def problem(self) -> str | None:
        """Why the index could not be used, so that every file was read, or None."""
        return self._index.problem

    def list(self, query: "Query | None" = None) -> "Page":
        """Return the sessions that match `query`, newest first; all kinds if None.

        Raises:
            StoreError: the cursor is invalid.
        """
        from code_core.store.listing import Query, page_of

        return self._index.query(lambda connection: page_of(connection, query or Query()))

    def last(self, cwd: Path | None = None) -> SessionRecord | None:
        """Return the session that changed last, in this working directory or overall, or None."""
        from code_core.store.listing import Query

        records = self.list(Query(limit=1, cwd=cwd)).sessions
        return records[0] if records else None

    def find(self, reference: str) -> SessionRecord:
        """Return the session with the given id, id prefix, name or rollout path.

        Raises:
            SessionNotFound: no session matches.
            AmbiguousSession: several sessions match.
        """
        from code_core.store.listing import with_id, with_name

        text = (
            reference.strip().encode("utf-8", "replace").decode()
        )  # ids and names never contain lone surrogates
        if os.sep in text or text.endswith(".jsonl"):
            return self._at(Path(reference.strip()).absolute())
        if len(text) >= SHORTEST_PREFIX and set(text.lower()) <= set("0123456789abcdef-"):
            records = self._index.query(lambda connection: with_id(connection, text))
            if is_session_id(text) and records:
                return records[0]
            if records:
                return _only(records, f"whose id begins with {text!r}")
        records = self._index.query(lambda connection: with_name(connection, text)) if text else []
        if not records:
            short = (
                f", and an id needs {SHORTEST_PREFIX} characters" if 0 < len(text) < SHORTEST_PREFIX else ""
            )
            raise SessionNotFound(
                f"no session has the id or name {text[:80]!r}{short}: `code sessions list` shows them"
            )
        return _only(records, f"called {text!r}")

    def rename(self, session: SessionRecord, name: str) -> str:
        """Name a session and return the name as stored; an empty name removes it.

        Raises:
            StoreError: the name cannot be written.
        """
        return self.rename_id(session.id, name)

    def rename_id(self, session_id: str, name: str) -> str:
        """Name the session with this id; see `rename`.

        Raises:
            StoreError: the name cannot be written.
        """
        return names.write_name(self.home, session_id, name)

    def _at(self, path: Path) -> SessionRecord:
        from code_core.store.index import stored_path
        from code_core.store.listing import at_path

        spelled = stored_path(os.fspath(path))
        record = self._index.query(lambda connection: at_path(connection, spelled))
        if record is not None:
            return record
        try:
            status = path.stat()
        except (OSError, ValueError):
            raise SessionNotFound(f"session file {str(path)[:200]!r} not found") from None
        from code_core.store.restore import read_meta  # lists do not need it

        session_id = read_meta(path).id
        return SessionRecord(session_id, path, status.st_mtime_ns, status.st_size, archived=False)


def _only(records: Sequence[SessionRecord], which: str) -> SessionRecord:
    ids = {record.id for record in records}
    if len(ids) == 1:
        return records[0]
    some = "".join(f"\n  {record.id}  {record.title[:60]}" for record in records[:5])
    raise AmbiguousSession(f"there are several sessions {which}: use more characters of the id{some}")
