"""Tracks the processes that a server has started, and ends those that outlive it.

A signal to the process group misses descendants that left the group. They are found in two ways: through
the tree of parents while the server runs, and through the session, which a process keeps when it
changes its group or loses its parent. A process that starts its own session and whose parents have exited
before the next scan cannot be told apart from unrelated ones.
"""

import os
from contextlib import suppress

import psutil


class ProcessFamily:
    """A server's process, which leads its session and group, and its descendants."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._known: set[psutil.Process] = set()
        self._orphaned = False

    def look(self) -> None:
        """Record the current members of the family; processes are identified by pid and start time."""
        if self._orphaned and not self.alive():
            return  # without a living member, the session id may have been reused
        everyone = {process.pid: process for process in psutil.process_iter()}
        parents = {pid: _parent(process) for pid, process in everyone.items()}
        family = {pid for pid in everyone if pid == self._leader or _session(pid) == self._leader}
        while children := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= children
        self._known.update(everyone[pid] for pid in family)

    def alive(self) -> list[psutil.Process]:
        """Return the members that are still running; zombies do not count."""
        return [process for process in self._known if _runs(process)]

    def leader_ended(self) -> None:
        """Record that the leader has ended; call this before its pid can be reused."""
        self.look()
        self._orphaned = True

    def terminate(self) -> None:
        """Ask every running member to end, individually, because a group id may have been reused."""
        self.look()
        for process in self.alive():
            with suppress(psutil.Error):
                process.terminate()

    def kill(self) -> None:
        """Kill every running member."""
        self.look()
        for process in self.alive():
            with suppress(psutil.Error):
                process.kill()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (AttributeError, OSError):  # Windows has no sessions; or the process is gone
        return None


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:  # the process is gone
        return None


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
