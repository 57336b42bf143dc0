import os
import sys
from pathlib import Path

import pytest

from code_core.protocol.policies import ReadOnly, WorkspaceWrite
from code_core.sandbox import protected as module
from code_core.sandbox.own_files import own_files
from code_core.sandbox.protected import (
    SEARCH_AGAIN_SECONDS,
    known_repositories,
    nested_repositories,
    protected_by,
)
from core.sandbox.test_git_directories import git

OPEN = WorkspaceWrite(exclude_slash_tmp=True)
SHUT = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=False)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for folder in ("work/sub", "home", "user"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "work"


def test_settings_are_closed_wherever_they_are_read_from_and_before_they_exist(work: Path) -> None:
    home, user = work.parent / "home", work.parent / "user"
    for policy in (ReadOnly(), OPEN, SHUT):
        found = protected_by(policy, work, home, [work, work / "sub"])
        assert found.settings == tuple(
            sorted([home, user / ".code", user / ".codex", work / ".code", work / "sub/.code"])
        )


def test_a_link_to_settings_is_resolved_and_known_as_a_link(work: Path) -> None:
    (work / "elsewhere").mkdir()
    (work / ".code").symlink_to("elsewhere")
    found = protected_by(OPEN, work, work.parent / "home", [work])
    assert work / "elsewhere" in found.settings
    assert found.links == (work / ".code",)


def test_the_agents_own_files_are_closed_whatever_the_policy() -> None:
    assert Path(sys.prefix).resolve() in own_files()
    package = Path(module.__file__).parents[1]
    assert any(package.is_relative_to(path) for path in own_files())
    assert any(Path(os.__file__).resolve().is_relative_to(path) for path in own_files())
    assert any(Path(sys.executable).resolve().is_relative_to(path) for path in own_files())
    assert Path("/usr") not in own_files()
    assert protected_by(ReadOnly(), Path("/"), Path("/home"), []).own == own_files()


def test_git_may_write_but_not_to_what_makes_it_run_programs(work: Path) -> None:
    git(work, "init", "-q")
    found = protected_by(OPEN, work / "sub", work.parent / "home", [work / "sub"])
    assert found.open_git == (work / ".git",)
    for name in ("config", "hooks", "config.worktree", "commondir"):
        assert work / ".git" / name in found.git
    assert work / ".git" not in found.git
    assert found.reasons()[work / ".git/config"] == "can make git run programs"


def test_git_that_is_closed_is_closed_as_a_whole_wherever_its_data_is(work: Path) -> None:
    git(work, "init", "-q")
    git(work, "commit", "-q", "--allow-empty", "-m", "one")
    git(work, "worktree", "add", "-q", "sub/tree")
    git(work, "init", "-q", "sub/nested")
    found = protected_by(SHUT, work / "sub/tree", work.parent / "home", [work])
    assert {work / "sub/tree/.git", work / ".git", work / ".git/worktrees/tree"} <= set(found.git)
    assert found.open_git == ()
    found = protected_by(SHUT, work, work.parent / "home", [work])
    assert {work / ".git", work / "sub/nested/.git", work / "sub/tree/.git"} <= set(found.git)
    assert protected_by(SHUT, work.parent / "home", work, []).git == (work.parent / "home/.git",)


def test_no_number_of_directories_hides_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}/deep").mkdir(parents=True)
    (tmp_path / "299/deep/.git").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(nested_repositories(tmp_path)) == [tmp_path / "299/deep/.git"]
    assert not hasattr(module, "MOST_DIRECTORIES")


def test_a_git_file_that_appears_later_opens_nothing(work: Path) -> None:
    first = protected_by(OPEN, work, work.parent / "home", [work])
    assert first.open_git == ()
    git(work.parent, "init", "-q", "--bare", "apart.git")
    git(work.parent / "apart.git", "config", "core.bare", "false")
    (work / ".git").write_text(f"gitdir: {work.parent / 'apart.git'}\n")
    assert protected_by(OPEN, work, work.parent / "home", [work]).open_git == ()
    assert protected_by(OPEN, work / ".", work.parent / "home", [work]).open_git == ()
    # The control: where it was there at first, it is the repository's own.
    module._first_seen.clear()
    assert protected_by(OPEN, work, work.parent / "home", [work]).open_git == (work.parent / "apart.git",)


def test_repositories_are_searched_for_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("code_core.sandbox.protected.time.monotonic", lambda: now)
    (tmp_path / "one/.git").mkdir(parents=True)
    assert known_repositories(tmp_path) == (tmp_path / "one/.git",)
    (tmp_path / "two/.git").mkdir(parents=True)
    assert known_repositories(tmp_path) == (tmp_path / "one/.git",)
    now += SEARCH_AGAIN_SECONDS
    assert set(known_repositories(tmp_path)) == {tmp_path / "one/.git", tmp_path / "two/.git"}
