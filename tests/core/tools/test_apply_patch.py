from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import FileState
from code_core.protocol.events import PatchApplyBegin, PatchApplyEnd, TurnDiff
from code_core.protocol.items import CustomToolCall, FunctionCall
from code_core.protocol.policies import AskForApproval, ReviewDecision
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.approver import Review
from code_core.tools.shell import Shell
from code_core.tools.tool import ToolContext, ToolOutput


class FullDisk(LocalFileSystem):
    """A file system with room for one file."""

    def __init__(self) -> None:
        self._written = 0

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        self._written += 1
        if self._written > 1:
            raise OSError(ENOSPC, "No space left on device")
        await super().replace(path, new, expected)


def apply(lines: str, context: ToolContext, files: LocalFileSystem | None = None) -> ToolOutput:
    tool = ApplyPatch(files or LocalFileSystem())
    patch = f"*** Begin Patch\n{lines}\n*** End Patch"
    call = CustomToolCall(name="apply_patch", input=patch, call_id="p1")
    return anyio.run(tool.call, call, context)


def test_a_partly_applied_patch_is_a_failure_shown_in_the_turns_diff(
    tool_context: ToolContext, emitted: Any
) -> None:
    output = apply("*** Add File: a\n+one\n*** Add File: b\n+two", tool_context, FullDisk())
    assert not output.success
    assert "No space left" in output.text
    begin, end, diff = emitted.events
    assert isinstance(begin, PatchApplyBegin)
    assert isinstance(end, PatchApplyEnd)
    assert (end.success, end.stdout, end.stderr) == (False, "", output.text)
    assert isinstance(diff, TurnDiff)
    assert "+one" in diff.unified_diff
    assert "two" not in diff.unified_diff


def test_a_patch_may_be_the_argument_of_a_function(tool_context: ToolContext) -> None:
    patch = "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch"
    call = FunctionCall(name="apply_patch", arguments=patch, call_id="p1")
    assert anyio.run(ApplyPatch(LocalFileSystem()).call, call, tool_context).success
    assert (tool_context.cwd / "a").read_text() == "x\n"


def test_invalid_unicode_stays_in_the_file_and_is_repaired_in_events(
    tool_context: ToolContext, emitted: Any
) -> None:
    file = tool_context.cwd / "latin"
    file.write_bytes(b"caf\xe9\nold\n")
    assert apply("*** Update File: latin\n@@\n-old\n+new", tool_context).success
    assert file.read_bytes() == b"caf\xe9\nnew\n"
    events = [event.model_dump_json() for event in emitted.events]
    assert "caf\u00e9" in events[0]
    assert "caf\ufffd" in events[2]


def test_the_kernels_files_are_not_read(tool_context: ToolContext) -> None:
    output = apply("*** Update File: /proc/self/environ\n@@\n-PATH=\n+x", tool_context)
    assert output.text == "Failed to read file to update /proc/self/environ: Not a file on a disk"


@pytest.mark.parametrize(
    ("script", "workdir"),
    [("apply_patch", "a\0b"), ("cd 'a\0b' && apply_patch", None), ("apply_patch", "n" * 5000)],
)
def test_an_impossible_directory_is_answered(
    script: str, workdir: str | None, tool_context: ToolContext
) -> None:
    import json

    patch = "*** Begin Patch\n*** Add File: new\n+x\n*** End Patch"
    arguments = {"command": ["bash", "-lc", f"{script} <<'EOF'\n{patch}\nEOF"], "workdir": workdir}
    call = FunctionCall(name="shell", arguments=json.dumps(arguments), call_id="c1")
    output = anyio.run(Shell(ApplyPatch(LocalFileSystem())).call, call, tool_context)
    assert not output.success
    assert "NUL" in output.text or "is not a directory" in output.text


@pytest.mark.parametrize(
    "lines",
    [
        "*** Add File: d/new\n+x",
        "*** Update File: d/file\n-x\n+y",
        "*** Delete File: d/file",
        "*** Update File: here\n*** Move to: d/file\n-x\n+y",
        "*** Update File: d/file\n*** Move to: new\n-x\n+y",
    ],
)
def test_a_directory_that_becomes_a_link_while_the_user_is_asked_is_not_followed(
    tool_context: ToolContext,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    lines: str,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    folder = tool_context.cwd / "d"
    folder.mkdir()
    for file in (folder / "file", outside / "file", tool_context.cwd / "here"):
        file.write_text("x\n")

    async def swap_and_approve(*_question: Any) -> Review:
        folder.rename(folder.with_name("aside"))
        folder.symlink_to(outside)
        return Review(ReviewDecision.APPROVED)

    monkeypatch.setattr(tool_context.approver, "ask", swap_and_approve)
    output = apply(lines, replace(tool_context, approval_policy=AskForApproval.UNTRUSTED))
    assert not output.success
    assert "has become a symbolic link" in output.text
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("file", "x\n")]
    assert (tool_context.cwd / "here").read_text() == "x\n"
