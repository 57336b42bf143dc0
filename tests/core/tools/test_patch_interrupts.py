"""An interrupt while a patch is written: the patch is finished and reported."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.patch import FileState, MemoryFileSystem
from code_core.protocol.events import PatchApplyBegin, PatchApplyEnd, TurnDiff
from code_core.protocol.items import CustomToolCall
from code_core.tools import patch_application
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext, ToolOutput

PATCH = """*** Begin Patch
*** Add File: /w/a
+x
*** Update File: /w/b
*** Move to: /w/c
-1
+2
*** Delete File: /w/d
*** End Patch"""
BEFORE = {Path("/w/b"): FileState(b"1\n"), Path("/w/d"): FileState(b"d\n")}
AFTER = {Path("/w/a"): FileState(b"x\n"), Path("/w/c"): FileState(b"2\n")}
CALL = CustomToolCall(name="apply_patch", input=PATCH, call_id="p1")


class Awaiting(MemoryFileSystem):
    """Awaits before and after every step, and cancels a scope at one of these points."""

    def __init__(self, scope: anyio.CancelScope, cancel_at: int) -> None:
        super().__init__(BEFORE)
        self._scope = scope
        self._cancel_at = cancel_at
        self.steps = 0

    async def _step(self) -> None:
        self.steps += 1
        if self.steps == self._cancel_at:
            self._scope.cancel()
        await anyio.lowlevel.checkpoint()

    async def resolve(self, path: Path) -> Path:
        await self._step()
        return await super().resolve(path)

    async def read(self, path: Path) -> FileState | None:
        await self._step()
        return await super().read(path)

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        await self._step()
        await super().replace(path, new, expected)
        await self._step()

    async def delete(self, path: Path, expected: FileState) -> None:
        await self._step()
        await super().delete(path, expected)
        await self._step()


async def interrupted(context: ToolContext, cancel_at: int) -> tuple[Awaiting, ToolOutput | None]:
    output = None
    with anyio.CancelScope() as scope:
        files = Awaiting(scope, cancel_at)
        output = await ApplyPatch(files).call(CALL, context)
    return files, output


def steps_of(context: ToolContext) -> int:
    return anyio.run(interrupted, context, 0)[0].steps


def test_an_interrupt_at_any_step_leaves_all_or_nothing_and_is_reported_correctly(
    tool_context: ToolContext, emitted: Any
) -> None:
    whole, nothing = 0, 0
    steps = steps_of(tool_context)
    assert steps > 20
    for step in range(1, steps + 1):
        emitted.events.clear()
        files, output = anyio.run(interrupted, tool_context, step)
        if output is None:
            nothing += 1
            assert files.files == BEFORE
            assert emitted.events == []
        else:
            whole += 1
            assert output.success
            assert files.files == AFTER
            begin, end, diff = emitted.events
            assert isinstance(begin, PatchApplyBegin)
            assert isinstance(end, PatchApplyEnd)
            assert end.success
            assert (end.stdout, end.stderr) == (output.text, "")
            assert isinstance(diff, TurnDiff)
    assert whole >= 8
    assert nothing >= 12


def test_a_file_system_that_hangs_does_not_block_the_turn_forever(
    tool_context: ToolContext, emitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_application, "LONGEST_SECONDS", 0.05)

    class Hanging(MemoryFileSystem):
        async def delete(self, *_arguments: Any) -> None:
            await anyio.sleep_forever()

    files = Hanging(BEFORE)
    output = anyio.run(ApplyPatch(files).call, CALL, tool_context)
    assert output.text == (
        "Failed to delete file /w/b: not done within 0.05 s; check the file before you continue\n"
        "These changes of the patch were made and stay:\n  write file /w/a\n  write file /w/c\n"
        "These were not made:\n  delete file /w/d"
    )
    assert not output.success
    assert emitted.kinds == ["patch_apply_begin", "patch_apply_end", "turn_diff"]
    assert "+2\n" in emitted.events[2].unified_diff
    assert "-1\n" not in emitted.events[2].unified_diff


def test_a_failing_file_system_is_reported(tool_context: ToolContext, emitted: Any) -> None:
    class Broken(MemoryFileSystem):
        async def delete(self, *_arguments: Any) -> None:
            raise RuntimeError("the editor is gone")

    output = anyio.run(ApplyPatch(Broken(BEFORE)).call, CALL, tool_context)
    assert output.text.startswith("Failed to delete file /w/b: RuntimeError: the editor is gone\n")
    assert not output.success
    assert emitted.kinds == ["patch_apply_begin", "patch_apply_end", "turn_diff"]


def test_a_failed_diff_is_a_warning_and_not_a_failure(
    tool_context: ToolContext, emitted: Any, tmp_path: Path
) -> None:
    (tmp_path / "outputs").write_text("in the way")
    output = anyio.run(ApplyPatch(MemoryFileSystem(BEFORE)).call, CALL, tool_context)
    assert output.success
    assert emitted.kinds == ["patch_apply_begin", "patch_apply_end", "warning"]
    assert emitted.events[2].message.startswith("the diff of this turn is not complete: ")
