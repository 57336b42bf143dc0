"""Links on the way to the copies for checkers have no effect."""

import os
from pathlib import Path

import anyio
import pytest

from code_core.validation import harness
from code_core.validation.staging import staging
from code_core.validation.switches import ValidationSwitches
from core.patch.build import added
from support.repository import make_repository


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    make_repository(folder)
    return folder


def test_a_link_in_place_of_the_folder_for_copies_is_an_error(work: Path, tmp_path: Path) -> None:
    """A command may plant one if the agent's settings cannot be protected."""
    outside, base = tmp_path / "outside", tmp_path / "place"
    outside.mkdir()
    base.symlink_to(outside)
    edits = [added(work / "c.json", "{")]
    arguments = (edits, work, {"PATH": os.defpath}, ValidationSwitches(), base)
    report = anyio.run(harness.validate, *arguments)
    assert report is not None
    assert report.failed
    assert "symbolic link" in report.checks[0]
    assert list(outside.iterdir()) == []
    base.unlink()
    report = anyio.run(harness.validate, *arguments)
    assert report is not None
    assert [issue.file for issue in report.issues] == ["c.json"]


def test_a_directory_that_becomes_a_link_while_files_are_written_is_not_followed(
    work: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)

    async def write() -> None:
        async with staging(work, tmp_path / "place") as staged:
            staged.put({"sub/a.txt": b"ours"})
            (staged.root / "sub").rename(staged.root / "moved")
            (staged.root / "sub").symlink_to(outside / "sub")
            with pytest.raises(OSError, match="symbolic link"):
                staged.put({"sub/b.txt": b"ours"})
            (staged.root / "c.txt").symlink_to(outside / "c.txt")
            with pytest.raises(FileExistsError):
                staged.put({"c.txt": b"ours"})
            staged.put({"d.txt": b"ours"})
            assert (staged.root / "d.txt").read_bytes() == b"ours"

    anyio.run(write)
    assert [path.name for path in outside.rglob("*")] == ["sub"]


def test_targets_of_links_in_the_workspace_are_not_copied(work: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "ruff.toml").write_text("secret = 1\n")
    (work / "linked").symlink_to(secrets)
    (work / "real").mkdir()
    (work / "real/ruff.toml").write_text("")
    (work / "real/pyproject.toml").symlink_to(secrets / "ruff.toml")
    os.mkfifo(work / "real/mypy.ini")

    async def names() -> set[str]:
        async with staging(work, tmp_path / "place") as staged:
            staged.put({"linked/a.py": b"", "real/a.py": b""})
            return {str(path.relative_to(staged.root)) for path in staged.root.rglob("*.*")}

    assert anyio.run(names) == {"linked/a.py", "real/a.py", "real/ruff.toml"}
