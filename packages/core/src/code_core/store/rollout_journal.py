"""The journal of a stored session: a rollout written by a dedicated thread.

A disk may take long to answer, or never do so (a network file system whose server is gone).
Callers can stop waiting at any time, and the process can exit, because the thread is a daemon.
"""

import logging
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread

import anyio
from anyio.from_thread import run_sync as run_in_loop
from anyio.lowlevel import current_token

from code_core.store.entries import Entry
from code_core.store.errors import JournalError
from code_core.store.lock import SessionLock
from code_core.store.rollout import RolloutFile

_log = logging.getLogger("code_core")


class _Job:
    """Work for the thread, and its outcome."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._loop = current_token()
        self.done = anyio.Event()
        self.error: Exception | None = None

    def check(self) -> None:
        """Raise the error of the work, which is done.

        Raises:
            JournalError: it failed.
        """
        if self.error is not None:
            raise JournalError(str(self.error)) from self.error

    def run(self) -> None:
        """Do the work; called in the thread."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised to the waiting task
            self.error = error
        try:
            run_in_loop(self.done.set, token=self._loop)
        except RuntimeError:  # the event loop has ended, so nothing is waiting
            _log.warning("the session was written after its end", exc_info=self.error)


class RolloutJournal:
    """See `Journal`. A call cancelled before its turn has no effect.

    Args:
        file: the file to write to; closed by `aclose`.
        lock: the session's lock; released by `aclose`.
    """

    def __init__(self, file: RolloutFile, lock: SessionLock | None = None) -> None:
        self._file = file
        self._lock = lock
        self._turns = anyio.Lock(fast_acquire=True)
        self._running: _Job | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""
        await self._do(partial(self._file.write, entries))

    async def sync(self) -> None:
        """See `Journal.sync`."""
        await self._do(self._file.sync)

    async def aclose(self) -> None:
        """See `Journal.aclose`. If cancelled while the disk does not answer, it continues in the thread."""
        if self._closed:
            return
        self._closed = True
        job = self._start(self._close)
        self._jobs.put(None)
        await job.done.wait()
        job.check()

    async def _do(self, work: Callable[[], None]) -> None:
        """Run `work` in the thread after everything before it."""
        async with self._turns:
            if self._running is not None:  # its caller was cancelled
                await self._running.done.wait()
            if self._closed:
                raise JournalError(f"cannot write the session {self._file.path}: it is closed")
            self._running = job = self._start(work)
            await job.done.wait()
            self._running = None
        job.check()

    def _start(self, work: Callable[[], None]) -> _Job:
        if self._thread is None:
            self._thread = Thread(target=_run, args=(self._jobs,), name="journal", daemon=True)
            self._thread.start()
        job = _Job(work)
        self._jobs.put(job)
        return job

    def _close(self) -> None:
        try:
            self._file.sync()
        finally:
            self._file.close()
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()


def _run(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        job.run()
