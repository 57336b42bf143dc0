"""Waits for the agent to end, then ends what its commands have left running.

    python -I -S guardian_exec.py MARK

Reads lines from stdin: `+PID` for the leader of a new session, `-PID` when that has ended. Stdin
closes when the agent ends, because only the agent holds the other end. Then everything in the
remaining sessions, and every process with `MARK` in its environment, gets SIGTERM, and half a
second later SIGKILL.
"""

# The module behind `signal`, whose enums take as long to import as the interpreter to start.
import _signal as signal  # type: ignore[import-not-found] # has no types
import os
import sys
import time

TERMINATE_SECONDS = 0.5
KILL_SECONDS = 5.0
PROC = "/proc"


def main(mark: bytes) -> None:
    """Wait, then end what is left."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    begun: dict[int, bytes | None] = {}
    for line in sys.stdin.buffer:
        pid = int(line[1:])
        if line.startswith(b"+"):
            begun[pid] = _start_time(pid)
        else:
            begun.pop(pid, None)
    # The number of an ended session may have been reused.
    end_all(mark, {pid for pid, time_ in begun.items() if _start_time(pid) in {None, time_}})


def end_all(mark: bytes, sessions: "set[int]") -> None:
    """End all processes of `sessions` and those with `mark` in their environment, within 5 seconds."""
    begun = time.monotonic()
    asked: set[int] = set()
    while time.monotonic() < begun + KILL_SECONDS and (left := _left(mark, sessions)):
        late = time.monotonic() > begun + TERMINATE_SECONDS
        for pid in left if late else left - asked:
            _signal(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= left
        time.sleep(0.02)  # poll, because only the end of child processes is reported


def _left(mark: bytes, sessions: "set[int]") -> "set[int]":
    """The processes to end; without /proc, the leaders of process groups, standing for their groups."""
    if not os.path.isdir(PROC):
        return {-pid for pid in sessions if _signal(-pid, 0)}
    found = set()
    for name in os.listdir(PROC):
        if name.isdigit() and int(name) != os.getpid() and _is_ours(name, mark, sessions):
            found.add(int(name))
    return found


def _is_ours(name: str, mark: bytes, sessions: "set[int]") -> bool:
    try:
        with open(f"{PROC}/{name}/stat", "rb") as file:
            state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        if state in {b"Z", b"X"}:
            return False
        if int(session) in sessions:
            return True
        with open(f"{PROC}/{name}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except (OSError, ValueError):
        return False


def _start_time(pid: int) -> "bytes | None":
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _signal(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(os.fsencode(sys.argv[1]))
