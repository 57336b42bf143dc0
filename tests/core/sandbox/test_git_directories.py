"""Which repository a directory belongs to, tested with repositories made by git."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from code_core.sandbox.git_directories import (
    MOST_FOLDERS,
    GitDirectories,
    git_directories,
    program_settings,
    submodules,
)

WHO = {
    f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(folder: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **WHO}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a linked worktree and a submodule, and one with a separate git directory."""
    top = tmp_path_factory.mktemp("repositories")
    for name in ("main", "part"):
        git(top, "init", "-q", name)
        git(top / name, "commit", "-q", "--allow-empty", "-m", "one")
    (top / "main/sub").mkdir()
    git(top / "main", "worktree", "add", "-q", "../tree", "-b", "tree")
    git(top / "main", "submodule", "add", "-q", str(top / "part"), "libs/part")
    git(top, "init", "-q", "--separate-git-dir", str(top / "apart.git"), "separate")
    git(top, "init", "-q", "--bare", "bare.git")
    return top


def test_an_ordinary_repository_and_a_folder_in_it(top: Path) -> None:
    expected = GitDirectories(top / "main/.git", top / "main/.git", top / "main/.git")
    assert git_directories(top / "main") == git_directories(top / "main/sub") == expected
    assert not expected.is_elsewhere


def test_a_linked_worktree(top: Path) -> None:
    common = top / "main/.git"
    found = git_directories(top / "tree")
    assert found == GitDirectories(top / "tree/.git", common / "worktrees/tree", common)


def test_a_submodule(top: Path) -> None:
    own = top / "main/.git/modules/libs/part"
    assert git_directories(top / "main/libs/part") == GitDirectories(top / "main/libs/part/.git", own, own)
    assert list(submodules(top / "main/.git")) == [own]
    found = git_directories(top / "main")
    assert found is not None
    assert own / "hooks" in set(program_settings(found))


def test_a_separate_git_directory(top: Path) -> None:
    own = top / "apart.git"
    assert git_directories(top / "separate") == GitDirectories(top / "separate/.git", own, own)


@pytest.mark.parametrize(
    "target",
    ["main/.git", "main/.git/worktrees/tree", "main/.git/modules/libs/part", "bare.git", ".", "missing"],
)
def test_a_git_file_that_names_another_trees_repository_is_not_trusted(
    top: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / ".git").write_text(f"gitdir: {top / target}\n")
    assert git_directories(tmp_path) is None
    (tmp_path / ".git").unlink()
    (tmp_path / ".git").symlink_to(top / target)
    assert git_directories(tmp_path) is None


def test_a_git_directory_that_names_another_ones_common_directory_is_not_trusted(
    top: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "mine")
    assert git_directories(tmp_path / "mine") is not None
    (tmp_path / "mine/.git/commondir").write_text(f"{top / 'main/.git'}\n")
    assert git_directories(tmp_path / "mine") is None


def test_an_empty_git_directory_is_ignored_as_git_does(top: Path) -> None:
    folder = top / "main/sub/empty"
    (folder / ".git").mkdir(parents=True)
    found = git_directories(folder)
    assert found is not None
    assert found.own == top / "main/.git"


@pytest.mark.parametrize("hidden", ["HEAD", "objects", "refs"])
def test_a_submodule_is_recognised_by_any_protected_file(tmp_path: Path, hidden: str) -> None:
    git(tmp_path, "init", "-q", "main")
    git(tmp_path, "init", "-q", "--bare", "main/.git/modules/libs/part")
    own = tmp_path / "main/.git/modules/libs/part"
    (own / hidden).rename(own / "hidden")
    assert list(submodules(tmp_path / "main/.git")) == [own]


@pytest.mark.parametrize("name", ["modules", "worktrees"])
def test_too_many_or_unreadable_ones_are_protected_together(tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "-q")
    repository = git_directories(tmp_path)
    assert repository is not None
    for number in range(MOST_FOLDERS + 1):
        (tmp_path / ".git" / name / str(number)).mkdir(parents=True)
        (tmp_path / ".git" / name / str(number) / "commondir").write_text("")
    closed = set(program_settings(repository))
    assert tmp_path / ".git" / name in closed
    assert len(closed) < 20


def test_nested_submodules_are_counted_together(tmp_path: Path) -> None:
    directory = tmp_path
    for _ in range(MOST_FOLDERS + 1):
        directory = directory / "modules/x"
    directory.mkdir(parents=True)
    with pytest.raises(OSError, match="Too many"):
        list(submodules(tmp_path))


@pytest.mark.parametrize("text", ["gitdir: " + "x" * 5000, "gitdir: a\0b", "gitdir: x\n" * 1000])
def test_a_git_file_without_a_path_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text)
    assert git_directories(tmp_path) is None
    (tmp_path / ".git").unlink()
    git(tmp_path, "init", "-q")
    (tmp_path / ".git/commondir").write_text(text)
    found = git_directories(tmp_path)
    assert found is None or found.common == tmp_path / ".git"


@pytest.mark.parametrize("filling", ["\n", " ", "path = x\n", "path =" + " " * 999 + "\n"])
def test_settings_of_any_shape_are_read_in_little_time(tmp_path: Path, filling: str) -> None:
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "apart.git"), "tree")
    (tmp_path / "apart.git/config").write_text((filling * 2**20)[: 2**20] + "x")
    started = time.process_time()
    found = git_directories(tmp_path / "tree")
    assert found is not None
    list(program_settings(found))
    assert time.process_time() - started < 3


def test_a_pipe_or_an_endless_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".git")
    assert git_directories(tmp_path) is None
    (tmp_path / ".git").unlink()
    (tmp_path / ".git").symlink_to("/dev/zero")
    assert git_directories(tmp_path) is None
