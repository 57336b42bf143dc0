"""Undo and redo on the store's checkpoints; a dedicated thread does the work, in order."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from code_core.config.paths import expand_home
from code_core.protocol.checkpoints import Restored, Steps

if TYPE_CHECKING:
    from code_core.store.checkpoints import Checkpoints, Outcome

T = TypeVar("T")

_SLICE = 0.02
"""Seconds of background saving before the worker checks for waiting requests."""

_HESITATION = 0.25
"""Seconds from the start of a turn to the look-ahead scan. The request is prepared first, and a turn that
ends sooner needs no scan."""


class FileCheckpoints:
    """See `protocol.checkpoints.Checkpoints`. Reads and creates nothing before a turn begins.

    Args:
        directory: where the checkpoints are kept.
        excluded: directories to ignore, such as our own home directory.
    """

    def __init__(self, directory: Path, excluded: Iterable[Path] = ()) -> None:
        self._directory = directory
        self._excluded = tuple(excluded)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        self._store: Checkpoints | None = None
        self._roots: tuple[Path, ...] = ()
        self._turn = ""
        self._begun = False
        self._used = False
        self._warned = False
        self._wanted = threading.Event()  # set when something in this turn waits for the worker

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        """See `Checkpoints.begin_turn`."""
        self._roots = tuple(root for root in roots if not _holds_users_home(root))
        self._turn, self._begun = turn_id, False
        self._wanted = threading.Event()
        if look_ahead and self._roots:
            self._submit(partial(self._prepare, self._wanted))

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        """See `Checkpoints.before_write`."""
        del turn_id
        self._used = True
        await self._do(lambda: self._in_turn().before_write(paths))

    async def before_command(self, turn_id: str) -> str | None:
        """See `Checkpoints.before_command`."""
        del turn_id
        self._used = True
        warning = await self._do(self._before_command)
        if warning is None or self._warned:
            return None
        self._warned = True
        return warning

    async def end_turn(self, turn_id: str) -> None:
        """See `Checkpoints.end_turn`."""
        del turn_id
        if self._used:
            self._used = False
            await self._do(lambda: self._in_turn().end_turn())
        self._forgo_look()

    async def steps(self) -> Steps:
        """See `Checkpoints.steps`."""
        if self._store is None and not self._directory.exists():
            return Steps(0, 0)
        if self._store is None:
            await self._do(self._opened)
        assert self._store is not None  # noqa: S101 - opened above
        return Steps(*self._store.steps)

    async def undo(self) -> Restored | None:
        """See `Checkpoints.undo`."""
        return _restored(await self._do(lambda: self._opened().undo()))

    async def redo(self) -> Restored | None:
        """See `Checkpoints.redo`."""
        return _restored(await self._do(lambda: self._opened().redo()))

    async def aclose(self) -> None:
        """See `Checkpoints.aclose`."""
        self._forgo_look()
        if self._store is not None:
            self._store.stop()
        self._submit(self._let_go)
        self._worker.shutdown(wait=False)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        return self._worker.submit(work)

    async def _do(self, work: Callable[[], T]) -> T:
        self._wanted.set()
        return await anyio.to_thread.run_sync(self._submit(work).result, abandon_on_cancel=True)

    def _opened(self) -> "Checkpoints":
        if self._store is None:
            self._store = self._create()
        return self._store

    def _create(self) -> "Checkpoints":
        from code_core.store.checkpoints import Checkpoints  # imported on the worker, which may wait

        return Checkpoints(self._directory, self._roots, self._excluded)

    def _in_turn(self) -> "Checkpoints":
        """Return the store with the turn begun; deferred, because many turns change nothing."""
        store = self._opened()
        if not self._begun:
            if store.wants(self._roots):
                store = self._store = self._create()
            store.begin_turn(self._turn)
            self._begun = True
        return store

    def _before_command(self) -> str | None:
        if not self._roots:
            return "the working directory holds your home: undo covers patches here, not what commands change"
        store = self._in_turn()
        store.before_command()
        self._save_later()
        return store.warning

    def _let_go(self) -> None:
        """Release the store and its watches on the worker: the kernel may take 20 ms to end a watch."""
        self._store = None

    def _forgo_look(self) -> None:
        wanted, self._wanted = self._wanted, threading.Event()
        wanted.set()

    def _prepare(self, wanted: threading.Event) -> None:
        wanted.wait(_HESITATION)
        if wanted is not self._wanted:
            return  # the turn has ended
        self._in_turn().prepare()  # a failure is ignored here and recurs where it matters
        self._save_later()

    def _save_later(self) -> None:
        with suppress(RuntimeError):  # the session has ended
            self._submit(self._save)

    def _save(self) -> None:
        """Save another slice in the background; submitted work goes first."""
        if self._store is not None and self._store.save(_SLICE):  # not done yet
            self._save_later()


def _restored(outcome: "Outcome | None") -> Restored | None:
    if outcome is None:
        return None
    files = tuple(Path(path) for path in outcome.restored)
    return Restored(outcome.turn, files, tuple(Path(left.path) for left in outcome.left))


def _holds_users_home(root: Path) -> bool:
    """Whether `root` is or contains the user's home, which is too large to scan before each command."""
    home = Path(os.path.realpath(expand_home("~")))
    return home.is_relative_to(os.path.realpath(root))
