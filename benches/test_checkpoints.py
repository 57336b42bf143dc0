"""Measures undo in a tree of 50,000 files: the delay of a turn, and the CPU time of all threads and of git.

A turn waits before its first command and at its end; saving continues in slices while the command runs.
"""

import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, workspace

pytestmark = pytest.mark.timeout(900)

FILES = 50_000
TURNS = 15
MOST_MILLISECONDS = 50


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50,000 files of 4 KB, 200 MB, in 1,020 directories."""
    root = tmp_path_factory.mktemp("tree")
    for number in range(FILES):
        path = root / f"d{number // 2500}" / f"s{number // 50 % 50}" / f"f{number}.py"
        if number % 50 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % number * 700)
    time.sleep(0.1)  # a file that has just changed is read immediately, and these must not count as changed
    return root


@pytest.fixture
def repository(tree: Path) -> Iterator[Path]:
    """The same tree in a repository, which is removed before the tests without one."""
    for command in (
        "init -q",
        "config gc.auto 0",
        "add -A",
        "-c user.name=a -c user.email=a@example.org commit -qm x",
        "gc -q",
    ):
        subprocess.run([shutil.which("git") or "git", *command.split()], cwd=tree, check=True)
    yield tree
    shutil.rmtree(tree / ".git")


def test_in_a_repository(repository: Path, tmp_path: Path, figures: dict[str, float]) -> None:
    measure("git", repository, tmp_path, figures)


def test_without_git(tree: Path, tmp_path: Path, figures: dict[str, float]) -> None:
    measure("no git", tree, tmp_path, figures)


def test_where_nothing_can_be_watched(
    tree: Path, tmp_path: Path, figures: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch(_roots: object) -> None:
        raise OSError("no watches here")

    monkeypatch.setattr(workspace, "Watch", no_watch)
    measure("no watches", tree, tmp_path, figures, limit=None)


def measure(
    name: str, root: Path, tmp_path: Path, figures: dict[str, float], limit: float | None = MOST_MILLISECONDS
) -> None:
    floor = min(listing_seconds(root) for _ in range(3))
    before = resident()
    checkpoints = Checkpoints(tmp_path / "checkpoints", [root])
    checkpoints.begin_turn("first")
    started, cpu = time.perf_counter(), cpu_seconds()
    checkpoints.before_command()
    first, first_cpu = time.perf_counter() - started, cpu_seconds() - cpu
    while checkpoints.save(0.02):
        pass
    whole, whole_cpu = time.perf_counter() - started, cpu_seconds() - cpu
    checkpoints.end_turn()
    copied = sum(path.stat().st_size for path in (tmp_path / "checkpoints").rglob("*") if path.is_file())
    print(f"\n{name}: the first command waits {first:.2f} s ({first_cpu:.2f} s CPU); all saved", end=" ")
    print(f"after {whole:.2f} s ({whole_cpu:.2f} s CPU), {copied / 2**20:.0f} MiB copied,", end=" ")
    print(f"{(resident() - before) / 2**20:.0f} MiB of memory; {checkpoints.warning}")
    waits, cpus = [], []
    for number in range(TURNS):
        edited = root / f"d{number}" / "s7" / f"f{number * 2500 + 350}.py"
        checkpoints.begin_turn(str(number))
        started, cpu = time.perf_counter(), cpu_seconds()
        checkpoints.before_command()
        middle = time.perf_counter()
        (root / "d3" / f"new{number}").write_text(f"{started}")
        edited.write_text(f"changed {started}")
        written = time.perf_counter()
        changed = checkpoints.end_turn()
        waits.append((middle - started, time.perf_counter() - written))
        cpus.append(cpu_seconds() - cpu)
        assert len(changed) == 2, changed
    wait = statistics.median(sum(both) for both in waits) * 1000
    cpu = statistics.median(cpus) * 1000
    print(
        f"a turn waits {wait:.1f} ms (worst {max(sum(both) for both in waits) * 1000:.1f} ms),"
        f" {cpu:.1f} ms CPU; `find -size` over the tree takes {floor * 1000:.0f} ms"
    )
    figures[f"checkpoints: a turn waits, 50,000 files, {name}, ms"] = wait
    figures[f"checkpoints: CPU of a turn, 50,000 files, {name}, ms"] = cpu
    figures[f"checkpoints: the first command waits, 50,000 files, {name}, ms"] = first * 1000
    assert limit is None or wait < limit


def cpu_seconds() -> float:
    """CPU time of this process and of the programs that it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def listing_seconds(root: Path) -> float:
    """The time that a C program takes to look at every inode of the tree."""
    started = time.perf_counter()
    subprocess.run(["/usr/bin/find", str(root), "-size", "+1G"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
