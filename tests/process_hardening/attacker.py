"""The attacks of a hostile process of the same user, as text for `python -c`."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

KEY = b"sk-raced-" + b"k3Y" * 7

HOLDER = """
import signal, sys
from code_process_hardening import SecretBuffer
with SecretBuffer(64, secret_memory=sys.argv[1] == "secret") as key:
    while key.readinto(0): pass
    print(key.kind.name, flush=True)
    signal.pause()
"""


def read(name: str, pid: str) -> str:
    try:
        if name == "fd":
            list(Path(f"/proc/{pid}/fd").iterdir())
        else:
            with Path(f"/proc/{pid}/{name}").open("rb") as file:
                if name != "mem":  # opening it grants the right to read
                    file.read()
    except PermissionError:
        return "denied"
    return "allowed"


def opened(pid: int) -> tuple[BinaryIO, BinaryIO] | None:
    process = Path("/proc", str(pid))
    with ExitStack() as opening:
        try:
            memory = opening.enter_context((process / "mem").open("rb", buffering=0))
            maps = opening.enter_context((process / "maps").open("rb", buffering=0))
        except PermissionError:
            return None
        opening.pop_all()
    return maps, memory


def shows_key(maps: BinaryIO, memory: BinaryIO) -> bool:
    listing = b"".join(iter(lambda: maps.read(1 << 16), b""))
    for line in listing.splitlines():
        span, rights = line.split()[:2]
        if not rights.startswith(b"rw"):
            continue
        start, end = (int(part, 16) for part in span.split(b"-"))
        try:
            memory.seek(start)
            if KEY in memory.read(end - start):
                return True
        except OSError:
            continue
    return False


def race(memory: str, python: str) -> tuple[str, bool]:
    """Open the memory of a starting process as often as it lets us, then look for the key in all of it."""
    command = [python, "-c", HOLDER, memory]
    environment = {"CODE_PROCESS_HARDENING": "1"}
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as holder,
        ExitStack() as kept,
    ):
        assert holder.stdin
        assert holder.stdout
        handles: list[tuple[BinaryIO, BinaryIO]] = []
        # The hardened process refuses. The newest handles before that count, because older ones show the memory before `execve`.
        while (handle := opened(holder.pid)) is not None:
            handles.append(handle)
            if len(handles) > 50:
                for old in handles.pop(0):
                    old.close()
        for pair in handles:
            for file in pair:
                kept.enter_context(file)
        holder.stdin.write(KEY)
        holder.stdin.close()
        kind = holder.stdout.readline().decode().strip()
        found = any(shows_key(*handle) for handle in handles)
        holder.kill()
        holder.stdout.close()
    return kind, found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["read", name, pid]:
            print(read(name, pid))  # noqa: T201 - its answer
        case ["race", memory, rounds, python]:
            results = [race(memory, python) for _ in range(int(rounds))]
            print(results[0][0], sum(found for _, found in results))  # noqa: T201 - its answer
