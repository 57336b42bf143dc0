import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import (
    FileSystem,
    MemoryFileSystem,
    PatchApplyError,
    PatchError,
    PatchFileError,
    PatchMatchError,
    Updated,
    apply_plan,
    parse_patch,
    plan_patch,
    summary,
)

Files = dict[str, str]


def patch_text(body: str) -> str:
    return f"*** Begin Patch\n{body}\n*** End Patch"


async def run(files: FileSystem, directory: Path, body: str) -> str:
    patch = parse_patch(patch_text(body))
    await apply_plan(await plan_patch(patch, files, directory), files)
    return summary(patch)


async def in_memory(before: Files, body: str, directory: Path) -> Files:
    files = MemoryFileSystem({directory / name: text for name, text in before.items()})
    await run(files, directory, body)
    return {str(path.relative_to(directory)): text for path, text in files.files.items()}


async def on_disk(before: Files, body: str, directory: Path) -> Files:
    for name, text in before.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode())
    await run(LocalFileSystem(), directory, body)
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes().decode() for path in found}


Apply = Callable[[Files, str, Path], Awaitable[Files]]
both = pytest.mark.parametrize("apply", [in_memory, on_disk])


@both
@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        ({}, "*** Add File: a/b/c.txt\n+x", {"a/b/c.txt": "x\n"}),
        ({"a": "old\n"}, "*** Add File: a\n+new", {"a": "new\n"}),
        ({"a": "x\n", "b": "y\n"}, "*** Delete File: a", {"b": "y\n"}),
        ({"a": "x\r\ny\r\n"}, "*** Update File: a\n@@\n-x\n+z", {"a": "z\r\ny\r\n"}),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: d/b\n@@\n-x\n+y", {"d/b": "y\n"}),
        ({"a": "x\n", "b": "y\n"}, "*** Update File: a\n*** Move to: b", {"b": "x\n"}),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: ./a\n@@\n-x\n+y", {"a": "y\n"}),
        ({"a": "1\n2\n"}, "*** Update File: a\n@@\n-1\n+3\n*** Update File: a\n@@\n-3\n+4", {"a": "4\n2\n"}),
        ({}, "*** Add File: a\n+x\n*** Update File: a\n@@\n-x\n+y", {"a": "y\n"}),
        ({"a": "x\n"}, "*** Delete File: a\n*** Add File: a\n+y", {"a": "y\n"}),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: b\n*** Update File: b\n@@\n-x\n+y", {"b": "y\n"}),
    ],
)
def test_effects(apply: Apply, before: Files, body: str, after: Files, tmp_path: Path) -> None:
    assert anyio.run(apply, before, body, tmp_path) == after


@both
@pytest.mark.parametrize(
    ("before", "body", "error", "said"),
    [
        (
            {"a": "x\n"},
            "*** Update File: a\n@@\n-nope\n+y",
            PatchMatchError,
            "Failed to find expected lines in ",
        ),
        ({"a": "x\n"}, "*** Update File: a\n@@\n-x\n+x", PatchMatchError, "leaves it as it is"),
        ({}, "*** Update File: a\n@@\n-x\n+y", PatchFileError, "Failed to read file to update "),
        ({}, "*** Delete File: a", PatchFileError, "Failed to delete file "),
        ({"a/b": "x\n"}, "*** Delete File: a", PatchFileError, "Is a directory"),
        ({"a/b": "x\n"}, "*** Add File: a\n+x", PatchFileError, "Is a directory"),
        ({"a": "x\n"}, "*** Delete File: a\n*** Delete File: a", PatchFileError, "earlier in this patch"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    apply: Apply, before: Files, body: str, error: type[PatchError], said: str, tmp_path: Path
) -> None:
    good = "*** Add File: good\n+x\n"
    with pytest.raises(error, match=said):
        anyio.run(apply, before, good + body, tmp_path)
    assert not (tmp_path / "good").exists()


def test_absolute_paths_and_dots_are_resolved() -> None:
    async def paths(path: str) -> list[Path]:
        plan = await plan_patch(
            parse_patch(patch_text(f"*** Add File: {path}\n+x")), MemoryFileSystem(), Path("/w/d")
        )
        return plan.paths

    assert anyio.run(paths, "/abs/x") == [Path("/abs/x")]
    assert anyio.run(paths, "../up/./x") == [Path("/w/up/x")]
    assert anyio.run(paths, "../../../../x") == [Path("/x")]


def test_move_targets_are_among_the_paths(tmp_path: Path) -> None:
    files = MemoryFileSystem({tmp_path / "a": "x\n"})
    plan = anyio.run(
        plan_patch, parse_patch(patch_text("*** Update File: a\n*** Move to: b")), files, tmp_path
    )
    assert plan.paths == [tmp_path / "a", tmp_path / "b"]
    assert plan.edits == (Updated(tmp_path / "a", "x\n", "x\n", tmp_path / "b"),)


def test_the_summary_groups_by_kind() -> None:
    body = "*** Delete File: d\n*** Update File: m\n@@\n-x\n+y\n*** Add File: a\n+x\n*** Update File: o\n*** Move to: n"
    assert summary(parse_patch(patch_text(body))) == (
        "Success. Updated the following files:\nA a\nM m\nM n\nD d"
    )


class FullDisk(MemoryFileSystem):
    async def write_text(self, path: Path, text: str) -> None:
        if path.name == "full":
            raise OSError(28, "No space left on device")
        await super().write_text(path, text)


def test_a_failure_half_way_says_what_was_written_and_what_was_not() -> None:
    files = FullDisk({Path("/w/c"): "x\n"})
    with pytest.raises(PatchApplyError) as caught:
        anyio.run(run, files, Path("/w"), "*** Add File: a\n+x\n*** Add File: full\n+x\n*** Delete File: c")
    assert str(caught.value) == (
        "Failed to write file /w/full: No space left on device\n"
        "These changes of the patch were made and stay:\n  /w/a\nThese were not made:\n  /w/c"
    )
    assert files.files == {Path("/w/a"): "x\n", Path("/w/c"): "x\n"}


def test_a_failure_at_the_first_file_says_that_nothing_else_changed() -> None:
    with pytest.raises(PatchApplyError, match=r"No other file was changed\."):
        anyio.run(run, FullDisk(), Path("/w"), "*** Add File: full\n+x")


def test_a_failed_move_leaves_the_old_file() -> None:
    files = FullDisk({Path("/w/a"): "x\n"})
    with pytest.raises(PatchApplyError):
        anyio.run(run, files, Path("/w"), "*** Update File: a\n*** Move to: full")
    assert files.files == {Path("/w/a"): "x\n"}


def test_modes_links_and_foreign_bytes_survive(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_bytes(b"#!/bin/sh\necho \xff\xfe\n")
    script.chmod(0o755)
    (tmp_path / "link").symlink_to("run.sh")
    anyio.run(run, LocalFileSystem(), tmp_path, "*** Update File: link\n@@\n-#!/bin/sh\n+#!/bin/bash")
    assert script.read_bytes() == b"#!/bin/bash\necho \xff\xfe\n"
    assert script.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "run.sh"]


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        anyio.run(run, LocalFileSystem(), tmp_path, "*** Add File: a\n+x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_what_is_not_a_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PatchFileError, match="Not a regular file"):
        anyio.run(run, LocalFileSystem(), tmp_path, "*** Update File: pipe\n@@\n-x\n+y")
    assert not (tmp_path / "x").exists()
