"""Tracks the processes that a server has started, and ends those that outlive it.

A signal to the process group misses descendants that left the group. They are found in three ways: through the
tree of parents while the server runs; through the session, which a process keeps when it changes its group or
loses its parent; and, where there is `/proc`, by a mark in the environment, which they inherit. A process with
another environment and its own session cannot be told apart from unrelated ones once its parents have exited.
"""

import os
from contextlib import suppress

import psutil

RUN_VARIABLE = "CODE_MCP_SERVER_RUN"
"""The environment variable that holds the mark."""


class ProcessFamily:
    """A server's process, which leads its session and group, and its descendants.

    Args:
        leader: the server's pid.
        mark: the value of `RUN_VARIABLE` in its environment, if it has one.
    """

    def __init__(self, leader: int, mark: str | None = None) -> None:
        self._leader = leader
        self._marked = None if mark is None else f"{RUN_VARIABLE}={mark}".encode()
        self._known: set[psutil.Process] = set()
        self._orphaned = False

    def look(self) -> None:
        """Record the current members of the family; processes are identified by pid and start time."""
        everyone = {process.pid: process for process in psutil.process_iter()}
        parents = {pid: _parent(process) for pid, process in everyone.items()}
        family = {pid for pid in everyone if self._is_marked(pid)}
        if not self._orphaned or self.alive():  # else the session id may have been reused
            family |= {pid for pid in everyone if pid == self._leader or _session(pid) == self._leader}
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

    def _is_marked(self, pid: int) -> bool:
        if self._marked is None:
            return False
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - faster, for each process
                return self._marked in file.readall()
        except OSError:  # it is gone, or somebody else's, or there is no /proc
            return False


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
