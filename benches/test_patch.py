"""Measures how long it takes to plan, apply and show patches."""

from pathlib import Path

import anyio
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from code_core.files.local import LocalFileSystem
from code_core.patch import apply_plan, git_diff, parse_patch, plan_patch

LINE = "    value_{0} = compute(value_{0}, {0})\n"


def source(lines: int) -> str:
    return "".join(LINE.format(number) for number in range(lines))


def update(name: str, lines: int, chunks: int) -> str:
    """A patch with this many changes in the file, each with a line of context."""
    step = lines // chunks
    body = "".join(
        f"@@\n {LINE.format(number)}-{LINE.format(number + 1)}+    changed_{number}()\n"
        for number in range(0, lines - 1, step)
    )
    return f"*** Update File: {name}\n{body}"


def run(directory: Path, patch: str, *, write: bool) -> None:
    async def work() -> None:
        files = LocalFileSystem()
        plan = await plan_patch(parse_patch(patch), files, directory)
        if write:
            await apply_plan(plan, files)
            git_diff(plan.edits, directory)

    anyio.run(work)


@pytest.mark.parametrize(("lines", "chunks"), [(200, 3), (5_000, 50), (100_000, 10), (1_000_000, 1)])
def test_plan(benchmark: BenchmarkFixture, tmp_path: Path, lines: int, chunks: int) -> None:
    (tmp_path / "f").write_text(source(lines))
    patch = f"*** Begin Patch\n{update('f', lines, chunks)}*** End Patch"
    benchmark.pedantic(run, (tmp_path, patch), {"write": False}, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize(("files", "lines"), [(1, 200), (50, 200), (1, 100_000)])
def test_plan_apply_and_show(benchmark: BenchmarkFixture, tmp_path: Path, files: int, lines: int) -> None:
    names = [f"f{number}" for number in range(files)]
    patch = "".join(update(name, lines, 3) for name in names)

    def fresh() -> tuple[tuple[Path, str], dict[str, bool]]:
        for name in names:
            (tmp_path / name).write_text(source(lines))
        return (tmp_path, f"*** Begin Patch\n{patch}*** End Patch"), {"write": True}

    benchmark.pedantic(run, setup=fresh, rounds=7)
