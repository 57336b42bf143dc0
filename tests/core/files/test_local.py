import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

import anyio
import pytest

from code_core.files import local
from code_core.files.local import LocalFileSystem
from code_core.patch import FileState, PatchReadError, apply_plan, parse_patch, plan_patch

FILES = LocalFileSystem()


def write(path: Path, text: str) -> None:
    replace(anyio.run(FILES.resolve, path), text)


def replace(path: Path, text: str) -> None:
    async def read_and_write() -> None:
        await FILES.replace(path, FileState(text.encode()), await FILES.read(path))

    anyio.run(read_and_write)


def patch(directory: Path, *lines: str) -> None:
    async def apply() -> None:
        text = "\n".join(["*** Begin Patch", *lines, "*** End Patch"])
        await apply_plan(await plan_patch(parse_patch(text), FILES, directory), FILES)

    anyio.run(apply)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("bits", [0o755, 0o600, 0o640, 0o666])
def test_a_file_keeps_its_mode(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(bits)
    write(path, "y")
    assert mode(path) == bits
    assert names(tmp_path) == ["a"]


def test_a_replaced_file_loses_setuid_and_setgid(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(0o4755)
    write(path, "y")
    assert mode(path) == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only the superuser can give files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(0o600)
    os.chown(path, 1234, 5678)
    write(path, "y")
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode(path)) == (1234, 5678, 0o600)


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "a") == 0o640


def test_bytes_that_are_not_utf_8_survive_a_patch(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"#!/bin/sh\r\necho \xff\xfe\r\n")
    patch(tmp_path, "*** Update File: a", "-#!/bin/sh", "+#!/bin/bash")
    assert (tmp_path / "a").read_bytes() == b"#!/bin/bash\r\necho \xff\xfe\r\n"


def test_a_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/target").write_text("x")
    (tmp_path / "link").symlink_to("d/target")
    (tmp_path / "link2").symlink_to("link")
    write(tmp_path / "link2", "y")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link2").is_symlink()
    assert (tmp_path / "d/target").read_text() == "y"
    assert names(tmp_path / "d") == ["target"]


def test_writing_through_a_dangling_link_creates_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new/target")
    write(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new/target").read_text() == "x"


def test_deleting_a_link_keeps_its_target(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    link = anyio.run(FILES.read, tmp_path / "link")
    assert link is not None
    assert (link.data, link.link) == (b"d", True)
    anyio.run(FILES.delete, tmp_path / "link", link)
    assert names(tmp_path) == ["d"]


@pytest.mark.parametrize("body", ["*** Add File: a\n+x", "*** Update File: a\n-b\n+x"])
def test_a_cycle_of_links_is_an_error(tmp_path: Path, body: str) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(PatchReadError, match="Too many levels of symbolic links"):
        patch(tmp_path, body)
    assert (tmp_path / "a").readlink() == Path("b")


def test_a_move_through_a_link_to_the_file_itself_keeps_the_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "link").symlink_to("a")
    patch(tmp_path, "*** Update File: a", "*** Move to: link", "-x", "+y")
    assert (tmp_path / "link").read_text() == "y\n"


def test_a_patch_sees_one_file_under_all_its_names(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_text("x\ny\n")
    (tmp_path / "link").symlink_to("d/a")
    (tmp_path / "e").symlink_to("d")
    patch(tmp_path, "*** Update File: link", "-x", "+1", "*** Update File: e/a", "-y", "+2")
    assert (tmp_path / "d/a").read_text() == "1\n2\n"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("way", ["*** Delete File: link", "*** Update File: link\n*** Move to: b\n-x\n+y"])
def test_a_patch_that_removes_a_link_keeps_its_target(tmp_path: Path, way: str) -> None:
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "link").symlink_to("a")
    patch(tmp_path, way, "*** Add File: link", "+new")
    assert (tmp_path / "a").read_text() == "x\n"
    assert (tmp_path / "link").read_text() == "new\n"
    assert not (tmp_path / "link").is_symlink()


def test_other_hard_links_keep_the_old_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    patch(tmp_path, "*** Update File: b", "-x", "+y")
    assert [(tmp_path / name).read_text() for name in "ab"] == ["x\n", "y\n"]


@pytest.mark.parametrize("path", ["link/file", "sub/link/file", "file-link"])
def test_a_link_that_was_not_resolved_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_text("x")
    for link in ("link", "sub/link"):
        (tmp_path / link).symlink_to(tmp_path / "d")
    (tmp_path / "file-link").symlink_to("d/file")
    steps: list[Callable[[], Awaitable[object]]] = [
        partial(FILES.replace, tmp_path / path, FileState(b"y"), FileState(b"x")),
        partial(FILES.delete, tmp_path / path, FileState(b"x")),
    ]
    if path != "file-link":
        steps.append(partial(FILES.read, tmp_path / path))
    for step in steps:
        with pytest.raises(OSError, match="has become a symbolic link"):
            anyio.run(step)
    assert (tmp_path / "file-link").is_symlink()
    assert (tmp_path / "d/file").read_text() == "x"


def test_a_directory_that_is_repeatedly_swapped_for_a_link_is_never_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "d"
    outside.mkdir()
    (outside / "file").write_text("secret")
    stop = threading.Event()

    def swap() -> None:
        for number in count():
            for step in (
                partial(folder.rename, tmp_path / f"{number}"),
                partial(folder.symlink_to, outside),
                folder.unlink,
                folder.mkdir,
                partial((folder / "file").touch, exist_ok=False),
            ):
                with suppress(OSError):
                    step()
            if stop.is_set():
                return

    ends = Counter[str]()
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while (ends.total() < 500 or len(ends) < 2) and time.monotonic() < deadline:
            for method in (
                partial(FILES.replace, folder / "file", FileState(b"x"), FileState(b"")),
                partial(FILES.read, folder / "file"),
            ):
                try:
                    file = anyio.run(method)
                    assert file is None or file.data in {b"", b"x"}
                    ends["done"] += 1
                except OSError as error:
                    ends["refused"] += "has become a symbolic link" in str(error)
    finally:
        stop.set()
        thread.join()
    assert set(ends) == {"done", "refused"}
    assert (outside / "file").read_text() == "secret"
    assert names(outside) == ["file"]


def test_only_regular_files_are_read_and_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        anyio.run(FILES.read, tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        write(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(local.LARGEST_FILE + 1)
    with pytest.raises(OSError, match="Larger than 64 MiB"):
        anyio.run(FILES.read, tmp_path / "large")


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    # The superuser, who may run this, may write anything.
    monkeypatch.setattr(os, "access", lambda _path, kind, **_where: kind != os.W_OK)
    with pytest.raises(PermissionError, match="Permission denied"):
        write(tmp_path / "a", "y")
    assert (tmp_path / "a").read_text() == "x"


def test_a_failure_leaves_only_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")

    def fail(*_names: str, **_where: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a", "y")
    assert (tmp_path / "a").read_text() == "x"
    assert names(tmp_path) == ["a"]


def test_a_failure_is_reported_even_if_the_new_file_has_disappeared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, *_names: str, **_where: int) -> None:
        (tmp_path / name).unlink()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "a", "y")
    assert names(tmp_path) == []


def test_a_file_with_the_longest_possible_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("\U0001f600" * 63)
    write(path, "x")
    write(path, "y")
    assert path.read_text() == "y"


READER = """
import json, sys
seen = set()
while "stop" not in seen:
    with open(sys.argv[1]) as file:
        text = file.read()
    if not seen:
        print("ready", flush=True)
    seen.add(text)
print(json.dumps(sorted([len(text), text[:1]] for text in seen)))
"""


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path, "a" * 1_000_000)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for _ in range(50):
            write(path, "b" * 1_000_000)
            write(path, "a" * 1_000_000)
        write(path, "stop")
        seen = json.loads(reader.stdout.read())
    assert [1_000_000, "a"] in seen
    assert all(text in ([1_000_000, "a"], [1_000_000, "b"], [4, "s"]) for text in seen)
