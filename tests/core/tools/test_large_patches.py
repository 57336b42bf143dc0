"""Patches of large files are bounded and do not block the event loop."""

import gc
import threading
import tracemalloc
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import Sources
from code_core.protocol.items import CustomToolCall
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext, ToolOutput

LINE = "the quick brown fox jumps over the lazy dog, number {:07}\n"


def large(path: Path, lines: int) -> None:
    path.write_text("".join(LINE.format(number) for number in range(lines)))


def patch_of(path: str, lines: int) -> str:
    old, before = LINE.format(lines // 2), LINE.format(lines // 2 - 1)
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n {before}-{old}+new\n*** End Patch"


async def watched(context: ToolContext, patch: str) -> tuple[ToolOutput, float]:
    """The output, and the longest time for which the event loop was blocked."""
    longest, done = 0.0, anyio.Event()

    async def watch() -> None:
        nonlocal longest
        before = perf_counter()
        while not done.is_set():
            await anyio.sleep(0.001)
            now = perf_counter()
            longest, before = max(longest, now - before), now

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await anyio.sleep(0.01)
        call = CustomToolCall(name="apply_patch", input=patch, call_id="p1")
        output = await ApplyPatch(LocalFileSystem()).call(call, context)
        done.set()
    return output, longest


def test_a_small_edit_of_a_large_file_is_fast_and_does_not_block(
    tool_context: ToolContext, emitted: Any
) -> None:
    lines = 1_000_000
    large(tool_context.cwd / "large", lines)
    started = perf_counter()
    output, longest = anyio.run(watched, tool_context, patch_of("large", lines))
    seconds = perf_counter() - started
    assert output.success
    with (tool_context.cwd / "large").open() as file:
        assert next(line for number, line in enumerate(file) if number == lines // 2) == "new\n"
    assert emitted.events[-1].unified_diff.startswith("diff --git a/large b/large\n")
    assert sum(len(event.model_dump_json()) for event in emitted.events) < 5_000
    assert seconds < 60
    # A computing thread blocks the others for 5 ms at a time, and for longer on a busy machine.
    assert longest < min(1.0, seconds / 3)


@pytest.mark.parametrize(("lines", "in_thread"), [(10, False), (10_000, True)])
def test_large_files_are_compared_in_a_thread(
    lines: int, in_thread: bool, tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    compare = Sources.is_same

    def noted(before: Sources, now: Sources) -> bool:
        threads.append(threading.current_thread())
        return compare(before, now)

    monkeypatch.setattr(Sources, "is_same", noted)
    large(tool_context.cwd / "file", lines)
    output, _ = anyio.run(watched, tool_context, patch_of("file", lines))
    assert output.success
    assert [thread is not threading.main_thread() for thread in threads] == [in_thread]


def test_memory_for_a_large_file_is_bounded(tool_context: ToolContext) -> None:
    lines = 100_000
    large(tool_context.cwd / "small", 10)
    anyio.run(watched, tool_context, patch_of("small", 10))  # imports what is imported late
    large(tool_context.cwd / "large", lines)
    size = (tool_context.cwd / "large").stat().st_size
    tracemalloc.start()
    try:
        output, _ = anyio.run(watched, tool_context, patch_of("large", lines))
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert output.success
    assert peak < 8 * size
    assert now < size / 4


@pytest.mark.parametrize("body", ["*** Delete File: large", "*** Update File: large\n*** Move to: other"])
def test_a_large_deleted_or_moved_file_is_shown_partly(
    tool_context: ToolContext, emitted: Any, body: str
) -> None:
    large(tool_context.cwd / "large", 200_000)
    output, _ = anyio.run(watched, tool_context, f"*** Begin Patch\n{body}\n*** End Patch")
    assert output.success
    assert max(len(event.model_dump_json()) for event in emitted.events) < 400_000
