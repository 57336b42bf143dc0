"""Finding repositories: the table is checked against git itself."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.context.git import Head, head_of, repository_root

STRANGER = 61_234
GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "PATH": os.environ["PATH"]}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**GIT, "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def plain(top: Path) -> Path:
    git(top, "init", "-q")
    return top


def below(top: Path) -> Path:
    plain(top)
    (top / "a" / "b").mkdir(parents=True)
    return top / "a" / "b"


def worktree(top: Path) -> Path:
    main = top / "main"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", str(top / "linked"))
    return top / "linked"


def separate(top: Path) -> Path:
    (top / "work").mkdir()
    git(top / "work", "init", "-q", f"--separate-git-dir={top}/elsewhere")
    return top / "work"


def nothing(top: Path) -> Path:
    return top


def empty_directory_above(top: Path) -> Path:
    (top / ".git").mkdir()
    (top / "work").mkdir()
    return top / "work"


def empty_directory_inside_a_repository(top: Path) -> Path:
    plain(top)
    (top / "work" / ".git").mkdir(parents=True)
    return top / "work"


def no_objects(top: Path) -> Path:
    (top / ".git" / "refs").mkdir(parents=True)
    (top / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return top


def odd_head(top: Path) -> Path:
    plain(top)
    (top / ".git" / "HEAD").write_text("nonsense\n")
    return top


def detached(top: Path) -> Path:
    plain(top)
    (top / ".git" / "HEAD").write_text("0" * 40 + "\n")
    return top


def file_that_leads_nowhere(top: Path) -> Path:
    plain(top)
    (top / "work").mkdir()
    (top / "work" / ".git").write_text("gitdir: /nowhere\n")
    return top / "work"


def file_of_something_else(top: Path) -> Path:
    (top / ".git").write_text("hello\n")
    return top


def through_a_link(top: Path) -> Path:
    (top / "real").mkdir()
    below(top / "real")
    (top / "link").symlink_to(top / "real" / "a")
    return top / "link"


def of_another_user(top: Path) -> Path:
    plain(top)
    os.chown(top / ".git", STRANGER, STRANGER)
    return top


def in_a_directory_of_another_user(top: Path) -> Path:
    plain(top)
    os.chown(top, STRANGER, STRANGER)
    return top


LAYOUTS = [
    *(plain, below, worktree, separate, nothing, empty_directory_above, empty_directory_inside_a_repository),
    *(no_objects, odd_head, detached, file_that_leads_nowhere, file_of_something_else, through_a_link),
    *(pytest.param(layout, marks=as_root) for layout in (of_another_user, in_a_directory_of_another_user)),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return home


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_root_is_the_same_as_gits(home: Path, tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    top = tmp_path / "top"
    top.mkdir()
    directory = layout(top)
    root = git(directory, "rev-parse", "--show-toplevel")
    assert repository_root(directory) == (Path(root) if root else None)


@as_root
@pytest.mark.parametrize("value", ["*", "PATH", "/elsewhere"])
def test_safe_directory_works_as_in_git(home: Path, tmp_path: Path, value: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    of_another_user(top)
    value = value.replace("PATH", str(top))
    git(home, "config", "--global", "--add", "safe.directory", value)
    root = git(top, "rev-parse", "--show-toplevel")
    assert bool(root) is (value != "/elsewhere")
    assert repository_root(top) == (Path(root) if root else None)


@as_root
def test_safe_directory_may_cover_all_subdirectories(home: Path, tmp_path: Path) -> None:
    """Git 2.46 and newer."""
    top = tmp_path / "top"
    top.mkdir()
    of_another_user(top)
    git(home, "config", "--global", "safe.directory", f"{tmp_path}/*")
    assert repository_root(top) == top
    git(home, "config", "--global", "--add", "safe.directory", "")
    assert repository_root(top) is None


def commit(top: Path) -> Path:
    plain(top)
    git(top, "checkout", "-q", "-b", "topic/ä")
    git(top, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one")
    return top


def packed(top: Path) -> Path:
    git(commit(top), "pack-refs", "--all")
    return top


def detached_head(top: Path) -> Path:
    git(commit(top), "checkout", "-q", "--detach")
    return top


def other_work_tree(top: Path) -> Path:
    (top / "main").mkdir()
    git(commit(top / "main"), "worktree", "add", "-q", "-b", "other", str(top / "tree"))
    return top / "tree"


@pytest.mark.parametrize("layout", [plain, below, commit, packed, detached_head, other_work_tree])
def test_the_head_is_the_same_as_gits(home: Path, tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    del home
    directory = layout(tmp_path)
    head = Head(
        git(directory, "branch", "--show-current"), git(directory, "rev-parse", "-q", "--verify", "HEAD")
    )
    assert head_of(directory) == head
    assert head.branch or head.commit


@pytest.mark.parametrize(
    "text", ["ref: refs/heads/../../HEAD\n", "ref: refs/heads/\n", "ref: refs/tags/a\n", "x"]
)
def test_an_invalid_head_has_no_commit(home: Path, tmp_path: Path, text: str) -> None:
    del home
    (plain(tmp_path) / ".git" / "HEAD").write_text(text)
    assert head_of(tmp_path).commit == ""
    assert head_of(tmp_path / "nowhere") == Head()


def test_a_fifo_and_a_link_to_a_device_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".git")
    assert repository_root(tmp_path) is None
    (tmp_path / ".git").unlink()
    plain(tmp_path)
    (tmp_path / ".git" / "HEAD").unlink()
    (tmp_path / ".git" / "HEAD").symlink_to("/dev/zero")
    assert repository_root(tmp_path) is None
