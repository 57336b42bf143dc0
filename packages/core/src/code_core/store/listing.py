"""Pages of stored sessions, newest first, and lookups of single sessions."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Literal

from code_core.frozen import frozen
from code_core.store.errors import StoreError
from code_core.store.index import COLUMNS
from code_core.store.record import SessionRecord

LARGEST_PAGE = 1000

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM sessions"  # noqa: S608 - our own column names


@frozen
class Query:
    """Which sessions to list.

    Attributes:
        limit: the maximum number, up to 1,000.
        cursor: `Page.next_cursor` of the previous page.
        cwd: only sessions of this working directory.
        archived: archived sessions instead of the others; None for both.
        search: only sessions whose name, first message, directory, branch or id contains this text, ignoring case.
        order: by last change or by creation.
        empty: whether to include sessions without a turn.
    """

    limit: int = 25
    cursor: str | None = None
    cwd: Path | None = None
    archived: bool | None = False
    search: str = ""
    order: Literal["updated", "created"] = "updated"
    empty: bool = False


@frozen
class Page:
    """A page of sessions; `next_cursor` is None on the last one."""

    sessions: tuple[SessionRecord, ...]
    next_cursor: str | None


def page_of(connection: sqlite3.Connection, query: Query) -> Page:
    """Return the sessions that match `query`.

    Raises:
        StoreError: the cursor is invalid.
    """
    key = "updated_ns" if query.order == "updated" else "created"
    conditions: list[str] = []
    values: list[object] = []
    if query.archived is not None:
        conditions.append("archived = ?")
        values.append(query.archived)
    if query.cwd is not None:
        conditions.append("cwd = ?")
        values.append(os.fspath(query.cwd).encode("utf-8", "replace").decode())
    if query.search:
        conditions.append("instr(haystack, ?) > 0")
        values.append(query.search.casefold().encode("utf-8", "replace").decode())
    if not query.empty:
        conditions.append("preview <> ''")
    if query.cursor is not None:
        conditions.append(f"({key}, id) < (?, ?)")
        values += _from_cursor(query.cursor, query.order)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    limit = max(1, min(query.limit, LARGEST_PAGE))
    rows = connection.execute(f"{_SELECT}{where} ORDER BY {key} DESC, id DESC LIMIT ?", (*values, limit + 1))
    records = [record_of(row) for row in rows]
    if len(records) <= limit:
        return Page(tuple(records), None)
    last = records[limit - 1]
    return Page(tuple(records[:limit]), _cursor(query.order, getattr(last, key), last.id))


def with_id(connection: sqlite3.Connection, prefix: str, most: int = 6) -> list[SessionRecord]:
    """Return the sessions whose id begins with `prefix`, archived or not, newest first."""
    low = prefix.lower()
    rows = connection.execute(
        f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY archived, updated_ns DESC LIMIT ?",
        (low, low + "g", most),
    )
    return [record_of(row) for row in rows]


def with_name(connection: sqlite3.Connection, name: str, most: int = 6) -> list[SessionRecord]:
    """Return the sessions with that name, ignoring case, newest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE name <> '' AND substr(haystack, 1, ?) = ? ORDER BY archived, updated_ns DESC LIMIT ?",
        (len(name.casefold()) + 1, f"{name.casefold()}\n", most),
    )
    return [record_of(row) for row in rows]


def at_path(connection: sqlite3.Connection, path: str | bytes) -> SessionRecord | None:
    """Return the session whose rollout is at this path, spelled as in the index."""
    row = connection.execute(f"{_SELECT} WHERE path = ?", (path,)).fetchone()
    return None if row is None else record_of(row)


def record_of(row: tuple[object, ...]) -> SessionRecord:
    """Return the record in a row of `COLUMNS`."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["path"] = Path(os.fsdecode(values["path"]))  # type: ignore[arg-type]  # text or bytes, as stored
    values["archived"] = bool(values["archived"])
    return SessionRecord(**values)  # type: ignore[arg-type]  # the columns have the types of the fields


def _cursor(order: str, key: object, session_id: str) -> str:
    return json.dumps([order, key, session_id]).encode().hex()


def _from_cursor(cursor: str, order: str) -> tuple[object, object]:
    try:
        kind, key, session_id = json.loads(bytes.fromhex(cursor))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{cursor[:40]!r} is not a cursor of a list of sessions") from error
    expected = int if order == "updated" else str
    if kind != order or type(key) is not expected or not isinstance(session_id, str):
        raise StoreError(f"{cursor[:40]!r} is not a cursor of this list of sessions")
    return key, session_id
