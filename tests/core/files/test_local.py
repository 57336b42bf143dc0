import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from code_core.files import local
from code_core.files.local import LocalFileSystem
from code_core.patch import apply_plan, parse_patch, plan_patch

FILES = LocalFileSystem()


def write(path: Path, text: str) -> None:
    anyio.run(FILES.write_text, path, text)


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


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "a") == 0o640


def test_bytes_that_are_not_utf_8_survive_a_patch(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"#!/bin/sh\r\necho \xff\xfe\r\n")

    async def patch() -> None:
        text = "*** Begin Patch\n*** Update File: a\n-#!/bin/sh\n+#!/bin/bash\n*** End Patch"
        await apply_plan(await plan_patch(parse_patch(text), FILES, tmp_path), FILES)

    anyio.run(patch)
    assert (tmp_path / "a").read_bytes() == b"#!/bin/bash\r\necho \xff\xfe\r\n"


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/target").write_text("x")
    (tmp_path / "link").symlink_to("d/target")
    (tmp_path / "link2").symlink_to("link")
    write(tmp_path / "link2", "y")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link2").is_symlink()
    assert (tmp_path / "d/target").read_text() == "y"
    assert names(tmp_path / "d") == ["target"]


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new/target")
    assert not anyio.run(FILES.exists, tmp_path / "link")
    write(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new/target").read_text() == "x"


def test_a_link_is_deleted_and_its_target_is_not(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    anyio.run(FILES.delete, tmp_path / "link")
    assert names(tmp_path) == ["d"]


def test_links_that_lead_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for method in (FILES.exists, FILES.read_text):
        with pytest.raises(OSError, match="symbolic links"):
            anyio.run(method, tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        write(tmp_path / "a", "x")
    assert (tmp_path / "a").is_symlink()


def test_a_move_through_a_link_to_the_file_itself_keeps_the_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "link").symlink_to("a")

    async def patch() -> None:
        text = "*** Begin Patch\n*** Update File: a\n*** Move to: link\n-x\n+y\n*** End Patch"
        await apply_plan(await plan_patch(parse_patch(text), FILES, tmp_path), FILES)

    anyio.run(patch)
    assert (tmp_path / "link").read_text() == "y\n"


def test_what_is_not_a_regular_file_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        anyio.run(FILES.read_text, tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        write(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(local.LARGEST_FILE + 1)
    with pytest.raises(OSError, match="Larger than 64 MiB"):
        anyio.run(FILES.read_text, tmp_path / "large")


def test_a_file_that_may_not_be_written_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("x")
    # The superuser, who may run this, may write anything.
    monkeypatch.setattr(os, "access", lambda _path, kind: kind != os.W_OK)
    with pytest.raises(PermissionError, match="Permission denied"):
        write(tmp_path / "a", "y")
    assert (tmp_path / "a").read_text() == "x"


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("x")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a", "y")
    assert (tmp_path / "a").read_text() == "x"
    assert names(tmp_path) == ["a"]


def test_a_failure_is_told_even_when_the_new_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> None:
        self.unlink()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "a", "y")
    assert names(tmp_path) == []


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
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
