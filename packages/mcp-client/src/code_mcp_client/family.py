"""The processes a server has started, and ending those that outlive it.

A group signal misses a grandchild that left the process group. Two ways find it: the
tree of parents while the server still runs, and the session, which a process keeps
when it changes its group or loses its parent. One that starts a session of its own
and whose parents are gone before anyone looked cannot be told from a stranger.
"""

import os
from contextlib import suppress

import psutil


class ProcessFamily:
    """A server's process, leader of its session and group, and its descendants."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._known: set[psutil.Process] = set()
        self._orphaned = False

    def look(self) -> None:
        """Note who belongs to the family now; a process is known by its start time, not only its number."""
        if self._orphaned and not self.alive():
            return  # the session's number may be a stranger's by now; while a member lives it cannot
        everyone = {process.pid: process for process in psutil.process_iter()}
        parents = {pid: _parent(process) for pid, process in everyone.items()}
        family = {pid for pid in everyone if pid == self._leader or _session(pid) == self._leader}
        while children := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= children
        self._known.update(everyone[pid] for pid in family)

    def alive(self) -> list[psutil.Process]:
        """The members that still run; a zombie does not."""
        return [process for process in self._known if _runs(process)]

    def leader_ended(self) -> None:
        """To be called as soon as the leader has ended, while its number cannot be anyone else's yet."""
        self.look()
        self._orphaned = True

    def terminate(self) -> None:
        """Ask every member that runs to end: each by itself, a group's number may be someone else's by now."""
        self.look()
        for process in self.alive():
            with suppress(psutil.Error):
                process.terminate()

    def kill(self) -> None:
        """End every member that runs."""
        self.look()
        for process in self.alive():
            with suppress(psutil.Error):
                process.kill()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (AttributeError, OSError):  # Windows has no sessions; or it is gone meanwhile
        return None


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:  # gone meanwhile
        return None


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
