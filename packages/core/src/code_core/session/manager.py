"""Creates conversations: the one place that assembles the parts of a session."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from code_core.config.load import NO_OVERRIDES, Config, ConfigOverrides, load_config
from code_core.errors import ConfigError
from code_core.model.key_proxy import KeyProxies
from code_core.model.saved_keys import saved_keys
from code_core.protocol.items import ResponseItem
from code_core.session.conversation import Conversation
from code_core.session.history.history import HistoryItem
from code_core.session.history.shown_context import ShownContext
from code_core.session.parts import OURS, Parts, make_client, make_session
from code_core.session.stored.file_checkpoints import FileCheckpoints
from code_core.session.stored.opening import (
    Last,
    Opened,
    create,
    fork_stored,
    open_stored,
    read_stored,
    store_of,
)
from code_core.session.stored.restore import SessionState
from code_core.session.stored.restored_settings import settings_to_restore
from code_core.session.stored.stored_session import StoredSession
from code_core.store.entries import EventEntry
from code_core.store.layout import checkpoints_of
from code_core.store.rollout_journal import RolloutJournal


class ConversationManager:
    """Starts conversations that share base settings.

    As a context manager, it stops the processes that hold API keys on exit.

    Args:
        base: settings for every conversation, unless overridden.
    """

    def __init__(self, base: ConfigOverrides = NO_OVERRIDES) -> None:
        self._base = base
        self._keys = KeyProxies(saved_keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._keys.close()

    async def new(self, overrides: ConfigOverrides = NO_OVERRIDES, parts: Parts = OURS) -> Conversation:
        """Create a conversation that starts when its context is entered.

        Raises:
            ConfigError: invalid settings.
            StoreError: the home directory is not writable.
        """
        config = self._config(_over(self._base, overrides), parts)
        return await self._begun(config, parts, [_from_elsewhere(item) for item in parts.history])

    async def resume(
        self,
        session: SessionState | Last | Path | str,
        overrides: ConfigOverrides = NO_OVERRIDES,
        parts: Parts = OURS,
    ) -> Conversation:
        """Reopen a stored conversation and continue it.

        It keeps its working directory and model unless `overrides` change them, and its policies unless
        they are wider than the current ones.

        Args:
            session: an id or its beginning, a name, the path of a rollout, `Last`, or a state.
            overrides: settings to change.
            parts: `journal`, if set, must continue the same record; `history` is ignored.

        Raises:
            ConfigError: invalid settings.
            SessionNotFound, AmbiguousSession: no session matches, or several do.
            SessionInUse: another process has it open.
            RolloutUnreadable: the record cannot be read.
            StoreError: the home directory is not writable.
        """
        given = _over(self._base, overrides)
        if isinstance(session, SessionState):
            return await self._resumed(session, self._config(given, parts), parts)
        if given.ephemeral:
            raise ConfigError("a resumed session is always recorded: fork it instead")
        store = store_of()
        if parts.journal is not None:
            return await self._restored(await read_stored(store, session), given, parts)
        return await self._restored(await open_stored(store, session), given, parts)

    async def fork(
        self,
        session: SessionState | Last | Path | str,
        overrides: ConfigOverrides = NO_OVERRIDES,
        parts: Parts = OURS,
        *,
        drop_last: int = 0,
    ) -> Conversation:
        """Create a conversation from the history of another, which may be open, without its last `drop_last` turns.

        The history is recorded first, so that the fork can be resumed on its own. Settings: see `resume`.

        Raises:
            ConfigError: invalid settings.
            JournalError: the history could not be recorded.
            SessionNotFound, AmbiguousSession: no session matches, or several do.
            RolloutUnreadable: the session cannot be read.
            StoreError: it has fewer turns, or the home directory is not writable.
        """
        given = _over(self._base, overrides)
        if isinstance(session, SessionState):
            return await self._copied(session, self._config(given, parts), parts, drop_last)
        if parts.journal is None and not given.ephemeral:
            return await self._restored(await fork_stored(store_of(), session, drop_last), given, parts)
        read = await read_stored(store_of(), session)
        config, state = self._restored_config(read, given, parts)
        return await self._copied(state, config, parts, drop_last)

    async def _begun(self, config: Config, parts: Parts, history: Sequence[HistoryItem]) -> Conversation:
        """A new conversation whose `history` is recorded first."""
        parts = replace(parts, session_id=parts.session_id or str(uuid4()))
        opened = None
        if parts.journal is None and config.storage.sessions.save:
            opened = await create(config, parts.session_id or "", parts.source)
        state = SessionState() if opened is None else opened.state
        conversation = self._assemble(config, parts, state, opened)
        async with _discarded_on_failure(conversation):
            if history:
                await conversation.session.history.add(*history)
                conversation.session.shown_context = ShownContext(one.item for one in history)
            if parts.recorded_at_once:  # otherwise the first turn creates the record
                await conversation.session.history.note(conversation.session.context_entry())
        return conversation

    async def _copied(
        self, state: SessionState, config: Config, parts: Parts, drop_last: int
    ) -> Conversation:
        cut = state.before_last_inputs(drop_last)
        conversation = await self._begun(config, parts, cut.items)
        session = conversation.session
        session.settings = cut.settings_over(session.settings)
        session.totals.total, session.totals.cost_usd, session.notes = cut.usage, cut.cost_usd, cut.notes
        session.name, session.preview = cut.name, cut.preview
        await _end_open_turn(conversation, cut)
        return conversation

    async def _restored(self, opened: Opened, given: ConfigOverrides, parts: Parts) -> Conversation:
        try:
            config, state = self._restored_config(opened, given, parts)
        except BaseException:
            opened.release()
            raise
        return await self._resumed(state, config, parts, opened)

    def _restored_config(
        self, opened: Opened, given: ConfigOverrides, parts: Parts
    ) -> tuple[Config, SessionState]:
        """The settings for a stored session, and its state without what those settings forbid."""
        state = opened.state
        notes = list(state.notes)
        cwd = state.settings.cwd
        if cwd is not None and given.cwd is None:
            if cwd.is_dir():
                given = replace(given, cwd=cwd)
            else:
                notes.append(f"its working directory {cwd} no longer exists")
        config = self._config(given, parts)
        settings, why = settings_to_restore(state.settings, given.given, config, opened.provider)
        config = replace(
            config,
            approval_policy=settings.approval_policy or config.approval_policy,
            sandbox_policy=settings.sandbox_policy or config.sandbox_policy,
        )
        return config, replace(state, settings=settings, notes=(*notes, *why))

    async def _resumed(
        self, state: SessionState, config: Config, parts: Parts, opened: Opened | None = None
    ) -> Conversation:
        parts = replace(parts, session_id=state.session_id or parts.session_id)
        conversation = self._assemble(config, parts, state, opened)
        await _end_open_turn(conversation, state)
        return conversation

    def _config(self, overrides: ConfigOverrides, parts: Parts) -> Config:
        config = load_config(overrides)
        if not parts.mcp_servers and parts.permission_tool is None:
            return config
        return replace(
            config,
            mcp_servers={**config.mcp_servers, **parts.mcp_servers},
            permission_tool=parts.permission_tool or config.permission_tool,
        )

    def _assemble(
        self, config: Config, parts: Parts, state: SessionState, opened: Opened | None
    ) -> Conversation:
        try:
            if opened is not None and opened.session is not None:
                parts = _recorded(config, parts, opened)
            client = parts.client if parts.client is not None else make_client(config, self._keys)
            session = make_session(config, client, parts, state)
            if opened is not None and opened.session is not None:
                stored = StoredSession(opened.store, session.id, config.storage)
                session.services = replace(session.services, stored=stored)
            return Conversation(session)
        except BaseException:
            if opened is not None:
                opened.release()
            raise


def _recorded(config: Config, parts: Parts, opened: Opened) -> Parts:
    """`parts` completed with those of a stored session."""
    assert opened.session is not None  # noqa: S101 - checked by the caller
    checkpoints = parts.checkpoints
    if checkpoints is None and config.storage.checkpoints.enabled:
        home = opened.store.home
        checkpoints = FileCheckpoints(checkpoints_of(home, opened.session.id), (home,))
    journal = parts.journal or RolloutJournal(opened.session.file, opened.session.lock)
    return replace(parts, journal=journal, checkpoints=checkpoints)


async def _end_open_turn(conversation: Conversation, state: SessionState) -> None:
    """Record the end of an interrupted turn and tell the model."""
    if state.open_turn is None:
        return
    note = state.cut_off_note()
    history = conversation.session.history
    async with _discarded_on_failure(conversation):
        await history.add(*([] if note is None else [note]))
        await history.note(EventEntry.turn_aborted(state.open_turn, "interrupted"))


@asynccontextmanager
async def _discarded_on_failure(conversation: Conversation) -> AsyncIterator[None]:
    """Discard the conversation if setup fails, so that its session can be opened again."""
    try:
        yield
    except BaseException:
        await conversation.discard()
        raise


def _from_elsewhere(item: ResponseItem) -> HistoryItem:
    return HistoryItem(f"item_{uuid4().hex}", item)


def _over(base: ConfigOverrides, overrides: ConfigOverrides) -> ConfigOverrides:
    """`base` updated with what `overrides` sets."""
    values = {
        field.name: getattr(overrides, field.name) or getattr(base, field.name)
        for field in fields(ConfigOverrides)
    }
    values["settings"] = (*base.settings, *overrides.settings)
    values["client"] = (*base.client, *overrides.client)
    return ConfigOverrides(**values)
