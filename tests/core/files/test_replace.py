"""Files that a rename cannot replace: new ones, mount points, read-only directories."""

import os
import shutil
import struct
import subprocess
import sys
from errno import EACCES, EBUSY, ENOSPC, ENOTSUP, EPERM
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.files import replace as module
from code_core.files.local import LocalFileSystem
from code_core.files.replace import replace_file
from code_core.patch import FileChangedError, FileState, apply_plan, parse_patch, plan_patch

FILES = LocalFileSystem()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def failing(monkeypatch: pytest.MonkeyPatch, name: str, errno: int) -> None:
    def fail(*_arguments: Any, **_where: Any) -> None:
        raise OSError(errno, os.strerror(errno))

    monkeypatch.setattr(os, name, fail)


def test_a_new_file_never_replaces_one_that_appears_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def appear(*names: Any, **where: Any) -> None:
        (tmp_path / "a").write_text("the user's")
        link(*names, **where)

    monkeypatch.setattr(os, "link", appear)
    with pytest.raises(FileChangedError, match="The file was created after the patch was planned"):
        anyio.run(FILES.replace, tmp_path / "a", FileState(b"x"), None)
    assert (tmp_path / "a").read_text() == "the user's"
    assert names(tmp_path) == ["a"]


def test_a_new_file_never_replaces_another_one_without_hard_links_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appear(*_names: Any, **_where: Any) -> None:
        (tmp_path / "a").write_text("the user's")
        raise OSError(EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", appear)
    with pytest.raises(FileChangedError, match="The file was created after the patch was planned"):
        anyio.run(FILES.replace, tmp_path / "a", FileState(b"x"), None)
    assert (tmp_path / "a").read_text() == "the user's"
    assert names(tmp_path) == ["a"]


def test_a_deleted_directory_is_not_recreated_for_a_file_that_should_exist(tmp_path: Path) -> None:
    with pytest.raises(FileChangedError, match="The file was deleted"):
        anyio.run(FILES.replace, tmp_path / "d/a", FileState(b"x"), FileState(b"old"))
    assert names(tmp_path) == []


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    real = os.fstat

    def grow(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        path.write_text("much longer now")
        return status

    monkeypatch.setattr(os, "fstat", grow)
    file = anyio.run(FILES.read, path)
    monkeypatch.undo()
    assert file is not None
    assert file.data == b"much longer now"


@pytest.mark.parametrize("errno", [EPERM, ENOTSUP])
def test_new_files_work_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno: int
) -> None:
    failing(monkeypatch, "link", errno)
    anyio.run(FILES.replace, tmp_path / "a", FileState(b"x", 0o640), None)
    assert (tmp_path / "a").read_text() == "x"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["a"]


def test_a_mount_point_is_overwritten_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("a longer text")
    path.chmod(0o640)
    inode = path.stat().st_ino
    failing(monkeypatch, "replace", EBUSY)
    anyio.run(FILES.replace, path, FileState(b"short"), FileState(b"a longer text"))
    assert path.read_text() == "short"
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (inode, 0o640)
    assert names(tmp_path) == ["a"]
    with pytest.raises(FileChangedError):
        anyio.run(FILES.replace, path, FileState(b"x"), FileState(b"a longer text"))
    assert path.read_text() == "short"


def test_a_file_in_a_read_only_directory_is_overwritten_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    real = os.open

    def closed(name: Any, flags: int, *more: Any, **where: Any) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(EACCES, "Permission denied")
        return real(name, flags, *more, **where)

    monkeypatch.setattr(os, "open", closed)
    with pytest.raises(FileChangedError):
        anyio.run(FILES.replace, path, FileState(b"new"), FileState(b"other"))
    anyio.run(FILES.replace, path, FileState(b"new"), FileState(b"old"))
    with pytest.raises(PermissionError):
        anyio.run(FILES.replace, tmp_path / "b", FileState(b"new"), None)
    monkeypatch.undo()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a"]


def test_a_failed_overwrite_restores_the_old_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("the old text")
    failing(monkeypatch, "replace", EBUSY)
    real, calls = os.pwrite, []

    def full(descriptor: int, data: Any, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 1:
            return real(descriptor, data[:3], offset)
        if len(calls) == 2:
            raise OSError(ENOSPC, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"a new and longer text")
    assert path.read_text() == "the old text"
    assert names(tmp_path) == ["a"]


def test_a_private_file_is_private_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    real = module.open_file

    def watch(name: str, directory: int, flags: int, mode: int = 0o666) -> int:
        descriptor = real(name, directory, flags, mode)
        if flags & os.O_CREAT:
            modes.append(os.fstat(descriptor).st_mode & 0o077)
        return descriptor

    monkeypatch.setattr(module, "open_file", watch)
    anyio.run(FILES.replace, tmp_path / "a", FileState(b"x", 0o600), None)
    anyio.run(FILES.replace, tmp_path / "a", FileState(b"y", 0o644), FileState(b"x"))
    assert modes == [0, 0]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_no_file_gets_setuid_or_setgid(tmp_path: Path) -> None:
    anyio.run(FILES.replace, tmp_path / "a", FileState(b"x", 0o6755), None)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o755


def test_links_are_created_replaced_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "l"
    link = FileState(b"nowhere", link=True)
    anyio.run(FILES.replace, path, link, None)
    assert os.readlink(path) == "nowhere"  # noqa: PTH115 - a string
    with pytest.raises(FileChangedError):
        anyio.run(FILES.replace, path, FileState(b"x"), FileState(b"elsewhere", link=True))
    anyio.run(FILES.replace, path, FileState(b"x", 0o600), link)
    assert not path.is_symlink()
    assert path.read_text() == "x"
    anyio.run(FILES.replace, path, link, FileState(b"x"))
    assert path.is_symlink()
    with pytest.raises(FileChangedError):
        anyio.run(FILES.delete, path, FileState(b"other", link=True))
    anyio.run(FILES.delete, path, link)
    assert names(tmp_path) == []


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


SCRIPT = """
mount --bind "$1/host" "$1/file" &&
cd "$1" &&
"$2" apply-patch '*** Begin Patch
*** Update File: file
-old
+new
*** End Patch'
"""


@pytest.mark.skipif(not _can_mount(), reason="mount namespaces cannot be made here")
def test_a_bind_mounted_file_is_patched(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("old\nrest\n")
    (tmp_path / "file").touch()
    program = str(Path(sys.executable).with_name("code"))
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", SCRIPT, "sh", str(tmp_path), program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Success. Updated the following files:\nM file\n"
    assert (tmp_path / "host").read_text() == "new\nrest\n"
    assert names(tmp_path) == ["file", "host"]


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")}


def patched(text: str, directory: Path) -> None:
    async def main() -> None:
        await apply_plan(await plan_patch(parse_patch(text), FILES, directory), FILES)

    anyio.run(main)


@pytest.mark.skipif(sys.platform != "linux", reason="Python reads extended attributes only on Linux")
def test_a_file_keeps_its_extended_attributes_when_it_changes_or_moves(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one\n")
    try:
        os.setxattr(file, "user.origin", b"https://x")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    patched("*** Begin Patch\n*** Update File: a\n@@\n-one\n+two\n*** End Patch", tmp_path)
    assert (file.read_text(), attributes(file)) == ("two\n", {"user.origin": b"https://x"})
    move = "*** Begin Patch\n*** Update File: a\n*** Move to: b/c\n@@\n-two\n+three\n*** End Patch"
    patched(move, tmp_path)
    moved = tmp_path / "b/c"
    assert (moved.read_text(), attributes(moved)) == ("three\n", {"user.origin": b"https://x"})
    replace_file(moved, b"four")
    assert (moved.read_text(), attributes(moved)) == ("four", {"user.origin": b"https://x"})
    file.write_text("one\n")
    onto = "*** Begin Patch\n*** Update File: b/c\n*** Move to: a\n@@\n-four\n+five\n*** End Patch"
    patched(onto, tmp_path)
    assert (file.read_text(), attributes(file)) == ("five\n", {})


@pytest.mark.skipif(sys.platform != "linux", reason="Python reads extended attributes only on Linux")
def test_a_file_keeps_its_access_control_list(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one\n")
    everyone = 0xFFFFFFFF
    entries = [
        (0x01, 6, everyone),
        (0x02, 4, 1234),
        (0x04, 0, everyone),
        (0x10, 4, everyone),
        (0x20, 0, everyone),
    ]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(file, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error.strerror}")
    mode = file.stat().st_mode
    patched("*** Begin Patch\n*** Update File: a\n@@\n-one\n+two\n*** End Patch", tmp_path)
    assert (file.read_text(), file.stat().st_mode) == ("two\n", mode)
    assert os.getxattr(file, "system.posix_acl_access") == acl
