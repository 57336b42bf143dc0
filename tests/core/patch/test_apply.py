from pathlib import Path

import anyio
import pytest

from code_core.patch import (
    FileState,
    FileSystem,
    MemoryFileSystem,
    PatchApplyError,
    apply_plan,
    parse_patch,
    plan_patch,
    summary,
)
from core.patch.build import added, deleted, memory, state, texts, updated, wrapped

ROOT = Path("/w")


async def run(files: FileSystem, body: str) -> str:
    patch = parse_patch(wrapped(body))
    await apply_plan(await plan_patch(patch, files, ROOT), files)
    return summary(patch)


def applied(before: dict[str, str], body: str) -> dict[str, str]:
    files = memory({ROOT / name: text for name, text in before.items()})
    anyio.run(run, files, body)
    return {str(path.relative_to(ROOT)): text for path, text in texts(files).items()}


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
        ({"a": "x\n"}, "*** Delete File: a\n*** Add File: a/b\n+y", {"a/b": "y\n"}),
        (
            {"a": "1\n", "b": "2\n"},
            "\n".join(f"*** Update File: {name}\n*** Move to: {to}" for name, to in ("at", "ba", "tb")),
            {"a": "2\n", "b": "1\n"},
        ),
    ],
)
def test_effects_of_patches(before: dict[str, str], body: str, after: dict[str, str]) -> None:
    assert applied(before, body) == after


def test_the_summary_groups_by_kind_with_paths_as_written() -> None:
    body = (
        "*** Delete File: ./d\n*** Update File: m\n@@\n-x\n+y\n*** Add File: a\n+x\n"
        "*** Update File: o\n*** Move to: n\n*** Add File: /b\n+x"
    )
    assert summary(parse_patch(wrapped(body))) == (
        "Success. Updated the following files:\nA a\nA /b\nM m\nM n\nD ./d"
    )


class Faulty(MemoryFileSystem):
    """A file system that cannot write `full` or delete `stuck`."""

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        if path.name == "full":
            raise OSError(28, "No space left on device")
        await super().replace(path, new, expected)

    async def delete(self, path: Path, expected: FileState) -> None:
        if path.name == "stuck":
            raise OSError("the file is stuck")
        await super().delete(path, expected)


def failure(before: dict[str, str], body: str) -> tuple[PatchApplyError, dict[Path, str]]:
    files = Faulty({ROOT / name: state(text) for name, text in before.items()})
    with pytest.raises(PatchApplyError) as caught:
        anyio.run(run, files, body)
    return caught.value, texts(files)


def test_a_failure_halfway_reports_what_was_written_and_what_was_not() -> None:
    body = (
        "*** Add File: a\n+x\n*** Delete File: d\n*** Add File: full\n+x\n"
        "*** Delete File: c\n*** Update File: m\n*** Move to: n"
    )
    error, files = failure({"c": "x\n", "d": "d\n", "m": "m\n"}, body)
    assert str(error) == (
        "Failed to write file /w/full: No space left on device\n"
        "These changes of the patch were made and stay:\n  write file /w/a\n  delete file /w/d\n"
        "These were not made:\n  delete file /w/c\n  write file /w/n\n  delete file /w/m"
    )
    assert error.applied == (added(ROOT / "a", "x\n"), deleted(ROOT / "d", "d\n"))
    assert files == {ROOT / "a": "x\n", ROOT / "c": "x\n", ROOT / "m": "m\n"}


def test_a_failure_at_the_only_file_reports_that_nothing_changed() -> None:
    error, files = failure({}, "*** Add File: full\n+x")
    assert str(error) == "Failed to write file /w/full: No space left on device\nNo file was changed."
    assert error.applied == ()
    assert files == {}


def test_a_move_that_cannot_write_leaves_the_old_file() -> None:
    error, files = failure({"a": "x\n"}, "*** Update File: a\n*** Move to: full")
    assert str(error).startswith("Failed to write file /w/full: ")
    assert files == {ROOT / "a": "x\n"}


def test_a_move_that_cannot_delete_leaves_both_files_and_reports_it() -> None:
    error, files = failure({"stuck": "x\n", "b": "old\n"}, "*** Update File: stuck\n*** Move to: b\n-x\n+y")
    assert str(error) == (
        "Failed to delete file /w/stuck: the file is stuck\n"
        "These changes of the patch were made and stay:\n  write file /w/b"
    )
    assert error.applied == (added(ROOT / "b", "y\n", "old\n"),)
    assert files == {ROOT / "stuck": "x\n", ROOT / "b": "y\n"}


def test_a_completed_move_counts_as_one_edit() -> None:
    error, _ = failure({"a": "x\n"}, "*** Update File: a\n*** Move to: b\n*** Add File: full\n+x")
    assert error.applied == (updated(ROOT / "a", "x\n", "x\n", ROOT / "b"),)


def test_a_long_list_of_changes_is_cut() -> None:
    adds = "".join(f"*** Add File: a{number}\n+x\n" for number in range(1_100))
    error, _ = failure({}, adds + "*** Add File: full\n+x")
    assert str(error).endswith("  write file /w/a49\n  and 1,050 more")


@pytest.mark.parametrize("lines", ["", "\n-x\n+y"])
def test_a_move_to_another_spelling_of_the_same_file_keeps_it(lines: str) -> None:
    class CaseBlind(MemoryFileSystem):
        async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
            await super().replace(self._known(path), new, expected)

        async def read(self, path: Path) -> FileState | None:
            return await super().read(self._known(path))

        async def delete(self, path: Path, expected: FileState) -> None:
            await super().delete(self._known(path), expected)

        def _known(self, path: Path) -> Path:
            return next((known for known in self.files if str(known).lower() == str(path).lower()), path)

    files = CaseBlind({ROOT / "readme": state("x\n")})
    anyio.run(run, files, f"*** Update File: readme\n*** Move to: README{lines}")
    assert texts(files) == {ROOT / "README": "y\n" if lines else "x\n"}
