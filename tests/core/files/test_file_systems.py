"""Tests for every file system: the local one, and its twin in memory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import (
    FileChangedError,
    FileState,
    FileSystem,
    MemoryFileSystem,
    apply_plan,
    parse_patch,
    plan_patch,
)
from core.patch.build import state


@pytest.fixture(params=[LocalFileSystem, MemoryFileSystem])
def files(request: pytest.FixtureRequest) -> FileSystem:
    make: Callable[[], FileSystem] = request.param
    return make()


def put(files: FileSystem, path: Path, text: str) -> None:
    async def write() -> None:
        await files.replace(path, state(text), await files.read(path))

    anyio.run(write)


def read(files: FileSystem, path: Path) -> str | None:
    file = anyio.run(files.read, path)
    return None if file is None else file.data.decode("utf-8", "surrogateescape")


def run(files: FileSystem, directory: Path, body: str) -> None:
    async def apply() -> None:
        patch = parse_patch(f"*** Begin Patch\n{body}\n*** End Patch")
        await apply_plan(await plan_patch(patch, files, directory), files)

    anyio.run(apply)


@pytest.mark.parametrize(
    "text", ["", "x", "a\nb\r\nc\rd", "\ufeff\u00e9\U0001f600\0", "\udcff\udc80\n", " \u2028 "]
)
def test_a_text_is_read_as_it_was_written(files: FileSystem, tmp_path: Path, text: str) -> None:
    put(files, tmp_path / "a", "before")
    put(files, tmp_path / "a", text)
    assert read(files, tmp_path / "a") == text


@pytest.mark.parametrize(
    ("state", "other", "same"),
    [
        (FileState(b"x"), FileState(b"x"), True),
        (FileState(b"x"), FileState(b"y"), False),
        (FileState(b"x"), FileState(b"x", link=True), False),
        (FileState(b"x", 0o600), FileState(b"x"), True),
        (FileState(b"x"), FileState(b"x", 0o600), True),
        (FileState(b"x", 0o600), FileState(b"x", 0o644), False),
        (FileState(b"x", None, (1, 2)), FileState(b"x"), True),
        (FileState(b"x", None, (1, 2)), FileState(b"x", None, (1, 3)), False),
        (FileState(b"x"), None, False),
    ],
)
def test_states_are_compared_as_far_as_both_are_known(
    state: FileState, other: FileState | None, same: bool
) -> None:
    assert state.is_same(other) == same


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 2**21])
@pytest.mark.parametrize("position", [0, 2**19, -1])
def test_large_files_are_compared_byte_by_byte(size: int, position: int) -> None:
    data = bytearray(size)
    before = FileState(bytes(data))
    assert before.is_same(FileState(bytes(data)))
    data[position] = 1
    assert not before.is_same(FileState(bytes(data)))
    assert not before.is_same(FileState(bytes(size + 1)))


def test_missing_directories_are_created(files: FileSystem, tmp_path: Path) -> None:
    put(files, tmp_path / "a/b/c", "x")
    assert read(files, tmp_path / "a/b/c") == "x"
    with pytest.raises(IsADirectoryError):
        read(files, tmp_path / "a/b")


def test_deleting_a_file_keeps_its_directory(files: FileSystem, tmp_path: Path) -> None:
    path = tmp_path / "a/b"
    assert read(files, path) is None
    put(files, path, "x")
    assert read(files, path) is not None
    anyio.run(files.delete, path, state("x"))
    assert read(files, path) is None
    with pytest.raises(IsADirectoryError):
        read(files, tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        put(files, tmp_path / "a", "x")


def test_a_missing_file_reads_as_none(files: FileSystem, tmp_path: Path) -> None:
    assert read(files, tmp_path / "a") is None
    assert read(files, tmp_path / "a/b") is None


@pytest.mark.parametrize(
    ("now", "expected", "problem"),
    [
        ("user's", None, "created"),
        ("user's", "old", "changed"),
        (None, "old", "deleted"),
    ],
)
def test_a_file_in_another_state_than_expected_is_left_alone(
    files: FileSystem, tmp_path: Path, now: str | None, expected: str | None, problem: str
) -> None:
    path = tmp_path / "a"
    if now is not None:
        put(files, path, now)
    with pytest.raises(FileChangedError, match=f"The file was {problem} after the patch was planned"):
        anyio.run(files.replace, path, state("new"), None if expected is None else state(expected))
    if expected is not None:
        with pytest.raises(FileChangedError, match=f"The file was {problem} after"):
            anyio.run(files.delete, path, state(expected))
    assert read(files, path) == now


def test_a_file_with_another_mode_than_expected_is_left_alone(files: FileSystem, tmp_path: Path) -> None:
    path = tmp_path / "a"
    anyio.run(files.replace, path, FileState(b"x", 0o600), None)
    for change in (
        partial(files.replace, path, state("y"), FileState(b"x", 0o644)),
        partial(files.delete, path, FileState(b"x", 0o644)),
    ):
        with pytest.raises(FileChangedError):
            anyio.run(change)
    anyio.run(files.replace, path, FileState(b"x", 0o755), FileState(b"x", 0o600))
    file = anyio.run(files.read, path)
    assert file is not None
    assert file.mode == 0o755
    anyio.run(files.replace, path, state("y"), file)
    assert getattr(anyio.run(files.read, path), "mode", None) == 0o755


def test_a_directory_is_not_a_file(files: FileSystem, tmp_path: Path) -> None:
    put(files, tmp_path / "a/b", "x")
    for method in (partial(files.read, tmp_path / "a"), partial(files.delete, tmp_path / "a", state("x"))):
        with pytest.raises(IsADirectoryError, match="Is a directory"):
            anyio.run(method)
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        put(files, tmp_path / "a", "x")
    assert read(files, tmp_path / "a/b") == "x"


@pytest.mark.parametrize("below", ["a/b", "a/b/c"])
def test_a_file_has_no_children(files: FileSystem, tmp_path: Path, below: str) -> None:
    put(files, tmp_path / "a", "x")
    for method in (
        partial(files.read, tmp_path / below),
        partial(files.delete, tmp_path / below, state("x")),
    ):
        with pytest.raises(NotADirectoryError, match="Not a directory"):
            anyio.run(method)
    with pytest.raises(NotADirectoryError, match="Not a directory"):
        put(files, tmp_path / below, "x")


@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        ({}, "*** Add File: a/b/c.txt\n+x", {"a/b/c.txt": "x\n"}),
        ({"a": "old\n"}, "*** Add File: a\n+new", {"a": "new\n"}),
        ({"a": "x\n", "b": "y\n"}, "*** Delete File: a", {"b": "y\n"}),
        ({"a": "x\r\n\udcff\r\n"}, "*** Update File: a\n-x\n+z", {"a": "z\r\n\udcff\r\n"}),
        ({"a": "x\n"}, "*** Update File: a\n*** Move to: d/b\n-x\n+y", {"d/b": "y\n"}),
        ({"a": "x\n", "b": "y\n"}, "*** Update File: a\n*** Move to: b", {"b": "x\n"}),
        ({"a": "x\n"}, "*** Delete File: a\n*** Add File: a/b\n+y", {"a/b": "y\n"}),
    ],
)
def test_patches_have_the_same_effect_on_each_file_system(
    files: FileSystem, tmp_path: Path, before: dict[str, str], body: str, after: dict[str, str]
) -> None:
    for name, text in before.items():
        put(files, tmp_path / name, text)
    run(files, tmp_path, body)
    for name in before.keys() - after.keys():
        assert name == "a"
    assert {name: read(files, tmp_path / name) for name in after} == after
    for name in before.keys() - after.keys() - {str(Path(name).parent) for name in after}:
        assert read(files, tmp_path / name) is None
