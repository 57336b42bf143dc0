"""What the home directory keeps for a session besides its journal (name, typed input), and its cleaning."""

import logging
import time
from functools import cached_property, partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from code_core.config.schema.storage import Storage
from code_core.errors import CodeError
from code_core.protocol.ops import GetHistoryEntryRequest
from code_core.protocol.session_events import GetHistoryEntryResponse, TypedEntry
from code_core.session.stored.cleaning_settings import cleaning_settings
from code_core.store.sessions import SessionStore

if TYPE_CHECKING:
    from code_core.store.message_history import MessageHistory

_log = logging.getLogger("code_core")

QUIET_SECONDS = 1.0
"""Delay between the start of a session and the cleaning."""


class StoredSession:
    """One session in the store of its home directory. Its methods access files in threads.

    Args:
        store: where the session is kept.
        session_id: the session's id.
        storage: what is kept, and for how long.
    """

    def __init__(self, store: SessionStore, session_id: str, storage: Storage) -> None:
        self._store = store
        self._id = session_id
        self._storage = storage

    @cached_property
    def _typed(self) -> "MessageHistory":
        from code_core.store.message_history import MessageHistory  # needed only by interactive frontends

        return MessageHistory(self._store.home, self._storage.typed.max_bytes)

    async def rename(self, name: str | None) -> None:
        """Set the name shown in lists.

        Raises:
            StoreError: the name could not be written.
        """
        await anyio.to_thread.run_sync(partial(self._store.rename_id, self._id, name or ""))

    async def remember(self, text: str) -> None:
        """Append `text` to the log of user input across sessions, unless the settings disable it.

        Raises:
            StoreError: the text could not be written.
        """
        if self._storage.typed.persistence == "save-all":
            await anyio.to_thread.run_sync(self._typed.append, self._id, text, time.time())

    async def typed(self, request: GetHistoryEntryRequest) -> GetHistoryEntryResponse:
        """Return an entry from the log of user input."""
        return await anyio.to_thread.run_sync(self._entry, request)

    def _entry(self, request: GetHistoryEntryRequest) -> GetHistoryEntryResponse:
        log = self._typed.log()
        log_id = log.log_id if request.log_id is None else request.log_id
        offset = log.count - 1 if request.offset is None else request.offset
        found = self._typed.entry(log_id, offset)
        entry = None
        if found is not None:
            entry = TypedEntry(session_id=found.session_id, ts=found.ts, text=found.text)
        return GetHistoryEntryResponse(log_id=log.log_id, offset=max(offset, 0), count=log.count, entry=entry)

    async def clean(self) -> None:
        """Delete stored data that exceeds the limits in the settings, shortly after the session starts.

        Failures are only logged, because data that is kept too long does no harm.
        """
        await anyio.sleep(QUIET_SECONDS)
        from code_core.store.cleaning import clean  # most sessions end before this

        settings = cleaning_settings(self._storage)
        try:
            cleaned = await anyio.to_thread.run_sync(
                partial(clean, self._store.home, settings), abandon_on_cancel=True
            )
        except CodeError as error:
            _log.warning("cleaning failed: %s", error)
            return
        if cleaned is not None:
            _log.info("cleaning deleted %d (%d bytes)", cleaned.deleted, cleaned.bytes)
            for failure in cleaned.failed:
                _log.warning("cleaning: %s", failure)
