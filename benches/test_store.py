"""Measures stored sessions: lists of 10,000, a rollout of 765 MB, appending, long sessions.

Whole processes are measured, including the start of the interpreter. If `codex` is on PATH, its time
for the same file is printed too.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from code_core.store.entries import Compacted, EventEntry, ItemEntry, JsonObject, SessionMeta, TurnContext
from code_core.store.layout import make_private_directory, rollout_path
from code_core.store.restore import restore
from code_core.store.rollout import RolloutFile
from code_core.store.rollout_journal import RolloutJournal
from code_core.store.sessions import SessionStore

SESSIONS = 10_000
LARGE = 765 * 2**20
BEGAN = datetime(2026, 1, 1).astimezone()


def message(role: str, text: str) -> JsonObject:
    kind = "input_text" if role == "user" else "output_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def call_and_output(number: int, size: int) -> list[JsonObject]:
    call_id = f"call_{number}"
    return [
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": call_id},
        {"type": "function_call_output", "call_id": call_id, "output": "x" * size},
    ]


def session_id(number: int) -> str:
    return str(UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with 10,000 sessions of 5 GB in total; their bodies are holes, which lists must not read."""
    home = tmp_path_factory.mktemp("home")
    for number in range(SESSIONS):
        when = BEGAN + timedelta(minutes=30 * number)
        path = rollout_path(home, session_id(number), when)
        file = RolloutFile(path, SessionMeta({"id": session_id(number), "cwd": f"/w/{number % 50}"}))
        file.write(
            [TurnContext({"model": "m"}), ItemEntry(message("user", f"Fix bug {number} of the parser"))]
        )
        file.close()
        os.truncate(path, 500_000)
        os.utime(path, (when.timestamp(), when.timestamp()))
    yield home
    shutil.rmtree(home)


def seconds_of(script: str, *arguments: str, rounds: int = 7) -> tuple[float, float]:
    """The median wall and CPU time of a whole process that runs `script`."""
    walls, cpus = [], []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", script, *arguments]
    for _ in range(rounds + 1):
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - started)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # The first compiles what is imported.
    return statistics.median(walls[1:]), statistics.median(cpus[1:])


STORE = """
import sys
from pathlib import Path
from code_core.store.catalog import Catalog
from code_core.store.listing import Query
store = Catalog(Path(sys.argv[1]))
"""
WAYS = {
    "list": "assert len(store.list().sessions) == 25",
    "search": "assert len(store.list(Query(search='BUG 77 ')).sessions) == 1",
    "last of a directory": "assert store.last(Path('/w/7')).cwd == '/w/7'",
    "find by id": "assert store.find(sys.argv[2]).id == sys.argv[2]",
}


def test_lists_of_many_sessions(home: Path, figures: dict[str, float]) -> None:
    started = time.perf_counter()
    SessionStore(home).list()
    print(f"\nindex of {SESSIONS:,} sessions made in {time.perf_counter() - started:.2f} s")
    floor, _ = seconds_of("import json, sqlite3")
    for name, check in WAYS.items():
        wall, cpu = seconds_of(STORE + check, str(home), session_id(4321))
        figures[f"store: {name} of {SESSIONS:,} sessions, whole process, ms"] = wall * 1000
        print(f"{name}: {wall * 1000:.0f} ms, {cpu * 1000:.0f} ms of them CPU;", end=" ")
        print(f"{wall / floor:.1f} of a process that imports json and sqlite3 ({floor * 1000:.0f} ms)")
        assert cpu < 0.2  # the wall time on a busy machine is meaningless


def write_large(path: Path, *, compacted_at: int | None) -> None:
    """A rollout of 765 MB whose tool outputs are 20 KB each."""
    meta = {"id": session_id(1), "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/w", "source": "exec"}
    file = RolloutFile(path, SessionMeta(meta | {"originator": "code_py", "cli_version": "0.1.0"}))
    number = 0
    size = 0
    while size < LARGE:
        entries = [EventEntry.task_started(f"t{number}"), TurnContext({"model": "m", "cwd": "/w"})]
        entries += [ItemEntry(message("user", f"question {number}"))]
        entries += [
            ItemEntry(item) for step in range(10) for item in call_and_output(number * 10 + step, 20_000)
        ]
        entries += [EventEntry({"type": "exec_command_end", "stdout": "y" * 100_000})]
        entries += [ItemEntry(message("assistant", "done")), EventEntry.task_complete(f"t{number}", "done")]
        if compacted_at is not None and size < compacted_at <= size + 305_000:
            entries.append(Compacted.of("summary", [message("user", "the summary")]))
        file.write(entries)
        size += 305_000
        number += 1
    file.close()


RESTORE = """
import resource, sys, time
from pathlib import Path
from code_core.store.restore import restore
restored = restore(Path(sys.argv[1]))
assert len(restored.items) > 100
if len(sys.argv) > 2:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("compacted_at", [None, LARGE - 10 * 2**20])
def test_a_large_rollout_is_usable_at_once(
    compacted_at: int | None, tmp_path: Path, figures: dict[str, float]
) -> None:
    path = rollout_path(tmp_path, session_id(1), BEGAN)
    make_private_directory(path.parent)
    write_large(path, compacted_at=compacted_at)
    seconds, cpu = seconds_of(RESTORE, str(path))
    done = subprocess.run(
        [sys.executable, "-c", RESTORE, str(path), "rss"], check=True, capture_output=True, text=True
    )
    kind = "without a compaction" if compacted_at is None else "compacted 10 MiB before its end"
    print(
        f"\n765 MB {kind}: {seconds * 1000:.0f} ms, {done.stdout.strip()} MB resident; {restore(path).notes}"
    )
    figures[f"store: restore 765 MB {kind}, whole process, ms"] = seconds * 1000
    assert cpu < 0.5
    assert int(done.stdout) < 150


def test_append_of_an_item(tmp_path: Path, figures: dict[str, float]) -> None:
    async def measure() -> list[float]:
        path = rollout_path(tmp_path, session_id(1), BEGAN)
        journal = RolloutJournal(RolloutFile(path, SessionMeta({"id": session_id(1)})))
        samples = []
        entry = ItemEntry(call_and_output(1, 2_000)[1])
        for _ in range(2_000):
            started = time.perf_counter()
            await journal.append(entry)
            samples.append(time.perf_counter() - started)
        await journal.aclose()
        return samples

    samples = sorted(anyio.run(measure))
    median, late = statistics.median(samples) * 1000, samples[len(samples) * 99 // 100] * 1000
    print(f"\nappend of one item: median {median:.3f} ms, 99 of 100 below {late:.3f} ms")
    figures["store: append, ms"] = median
    assert median < 1


def test_a_session_of_5000_turns_costs_the_same_per_turn(tmp_path: Path, figures: dict[str, float]) -> None:
    async def measure() -> tuple[float, float, int]:
        path = rollout_path(tmp_path, session_id(1), BEGAN)
        journal = RolloutJournal(RolloutFile(path, SessionMeta({"id": session_id(1)})))
        samples = []
        before = 0
        for number in range(5_000):
            started = time.perf_counter()
            await journal.append(
                TurnContext({"model": "m"}), ItemEntry(message("user", f"question {number}"))
            )
            for item in call_and_output(number, 1_000):
                await journal.append(ItemEntry(item))
            await journal.append(ItemEntry(message("assistant", "done")))
            samples.append(time.perf_counter() - started)
            if number == 500:
                before = resident()
        await journal.aclose()
        # Only the faster ones, because a busy machine slows down the others.
        first, last = (statistics.quantiles(part, n=10)[0] for part in (samples[:1000], samples[-1000:]))
        return first, last, resident() - before

    first, last, grown = anyio.run(measure)
    print(
        f"\nturn of a session of 5,000: first {first * 1e3:.2f} ms, last {last * 1e3:.2f} ms, +{grown // 1024} KiB"
    )
    figures["store: turn 5,000 over turn 1"] = last / first
    assert last / first < 1.5
    assert grown < 2 * 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
