"""What holds for every file system: the local one, and its twin in memory."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import FileSystem, MemoryFileSystem, apply_plan, parse_patch, plan_patch


@pytest.fixture(params=[LocalFileSystem, MemoryFileSystem])
def files(request: pytest.FixtureRequest) -> FileSystem:
    make: Callable[[], FileSystem] = request.param
    return make()


def run(files: FileSystem, directory: Path, body: str) -> None:
    async def apply() -> None:
        patch = parse_patch(f"*** Begin Patch\n{body}\n*** End Patch")
        await apply_plan(await plan_patch(patch, files, directory), files)

    anyio.run(apply)


@pytest.mark.parametrize(
    "text", ["", "x", "a\nb\r\nc\rd", "\ufeff\u00e9\U0001f600\0", "\udcff\udc80\n", " \u2028 "]
)
def test_a_text_comes_back_as_it_was_written(files: FileSystem, tmp_path: Path, text: str) -> None:
    anyio.run(files.write_text, tmp_path / "a", "before")
    anyio.run(files.write_text, tmp_path / "a", text)
    assert anyio.run(files.read_text, tmp_path / "a") == text


def test_missing_directories_are_made(files: FileSystem, tmp_path: Path) -> None:
    anyio.run(files.write_text, tmp_path / "a/b/c", "x")
    assert anyio.run(files.read_text, tmp_path / "a/b/c") == "x"
    assert anyio.run(files.exists, tmp_path / "a/b")


def test_what_is_deleted_is_gone_and_its_directory_is_not(files: FileSystem, tmp_path: Path) -> None:
    path = tmp_path / "a/b"
    assert not anyio.run(files.exists, path)
    anyio.run(files.write_text, path, "x")
    assert anyio.run(files.exists, path)
    anyio.run(files.delete, path)
    assert not anyio.run(files.exists, path)
    assert anyio.run(files.exists, tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        anyio.run(files.write_text, tmp_path / "a", "x")


def test_a_missing_file_is_an_error(files: FileSystem, tmp_path: Path) -> None:
    for method in (files.read_text, files.delete):
        with pytest.raises(FileNotFoundError, match="No such file or directory"):
            anyio.run(method, tmp_path / "a")


def test_a_directory_is_no_file(files: FileSystem, tmp_path: Path) -> None:
    anyio.run(files.write_text, tmp_path / "a/b", "x")
    for method in (files.read_text, files.delete):
        with pytest.raises(IsADirectoryError, match="Is a directory"):
            anyio.run(method, tmp_path / "a")
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        anyio.run(files.write_text, tmp_path / "a", "x")
    assert anyio.run(files.read_text, tmp_path / "a/b") == "x"


@pytest.mark.parametrize("below", ["a/b", "a/b/c"])
def test_a_file_has_nothing_below_it(files: FileSystem, tmp_path: Path, below: str) -> None:
    anyio.run(files.write_text, tmp_path / "a", "x")
    for method in (files.read_text, files.delete, files.exists):
        with pytest.raises(NotADirectoryError, match="Not a directory"):
            anyio.run(method, tmp_path / below)
    with pytest.raises(NotADirectoryError, match="Not a directory"):
        anyio.run(files.write_text, tmp_path / below, "x")


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
def test_patches_do_the_same_on_each(
    files: FileSystem, tmp_path: Path, before: dict[str, str], body: str, after: dict[str, str]
) -> None:
    for name, text in before.items():
        anyio.run(files.write_text, tmp_path / name, text)
    run(files, tmp_path, body)
    for name in before.keys() - after.keys():
        assert name == "a"
    assert {name: anyio.run(files.read_text, tmp_path / name) for name in after} == after
    for name in before.keys() - after.keys() - {str(Path(name).parent) for name in after}:
        assert not anyio.run(files.exists, tmp_path / name)
