import os
import sys
from pathlib import Path

import pytest

from code_core.protocol.policies import ReadOnly, WorkspaceWrite
from code_core.sandbox import own_files as own_files_module
from code_core.sandbox import protected as module
from code_core.sandbox.confinement import confinement_of
from code_core.sandbox.own_files import own_files
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.protected import (
    SEARCH_AGAIN_SECONDS,
    known_repositories,
    nested_repositories,
    protected_by,
)
from core.sandbox.test_escapes import sandbox_for
from core.sandbox.test_git_directories import git

OPEN = WorkspaceWrite(exclude_slash_tmp=True)
SHUT = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=False)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(module, "_at_first", {})
    for folder in ("work/sub", "home", "user"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "work"


def test_settings_are_protected_wherever_they_are_read_from_and_before_they_exist(work: Path) -> None:
    home, user = work.parent / "home", work.parent / "user"
    for policy in (ReadOnly(), OPEN, SHUT):
        found = protected_by(policy, work, home, [work, work / "sub"])
        assert found.settings == tuple(
            sorted([home, user / ".code", user / ".codex", work / ".code", work / "sub/.code"])
        )


def test_a_link_to_settings_is_resolved_and_recorded_as_a_link(work: Path) -> None:
    (work / "elsewhere").mkdir()
    (work / ".code").symlink_to("elsewhere")
    found = protected_by(OPEN, work, work.parent / "home", [work])
    assert work / "elsewhere" in found.settings
    assert found.links == (work / ".code",)


def test_the_agents_own_files_are_protected_under_every_policy() -> None:
    assert Path(sys.prefix).resolve() in own_files()
    package = Path(module.__file__).parents[1]
    assert any(package.is_relative_to(path) for path in own_files())
    assert any(Path(os.__file__).resolve().is_relative_to(path) for path in own_files())
    assert any(Path(sys.executable).resolve().is_relative_to(path) for path in own_files())
    assert Path("/usr") not in own_files()
    assert protected_by(ReadOnly(), Path("/"), Path("/home"), []).own == own_files()


@pytest.mark.parametrize("mechanism", ["bwrap", "landlock"])
def test_the_systems_own_bubblewrap_and_git_cannot_be_replaced(
    mechanism: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the directory of programs is writable, a program planted there would run the next command."""
    for name in ("bwrap", "git", "other"):
        (work / "bin").mkdir(exist_ok=True)
        (work / "bin" / name).write_text("the system's")
    monkeypatch.setattr(own_files_module, "SYSTEM_FOLDERS", (work / "bin",))
    monkeypatch.setattr(module, "own_files", own_files_module.own_files.__wrapped__)
    confinement = confinement_of(OPEN, work, work.parent / "home", {})
    script = (
        "for name in bwrap git other; do echo mine > new; mv -f new bin/$name; echo mine > bin/$name; done"
    )
    with (
        placeholders(confinement) as ready,
        sandbox_for(mechanism, None).start(
            ["sh", "-c", script], ready, work, {"PATH": os.defpath}
        ) as process,
    ):
        process.communicate()
    assert {path.name: path.read_text().strip() for path in (work / "bin").iterdir()} == {
        "bwrap": "the system's",
        "git": "the system's",
        "other": "mine",
    }


def test_git_may_write_except_for_files_that_make_it_run_programs(work: Path) -> None:
    git(work, "init", "-q")
    found = protected_by(OPEN, work / "sub", work.parent / "home", [work / "sub"])
    assert found.open_git == (work / ".git",)
    for name in ("config", "hooks", "config.worktree", "commondir"):
        assert work / ".git" / name in found.git
    assert work / ".git" not in found.git
    assert found.reasons()[work / ".git/config"] == "can make git run programs"


def test_all_of_git_is_protected_wherever_its_data_is(work: Path) -> None:
    git(work, "init", "-q")
    git(work, "commit", "-q", "--allow-empty", "-m", "one")
    git(work, "worktree", "add", "-q", "sub/tree")
    git(work, "init", "-q", "sub/nested")
    found = protected_by(SHUT, work / "sub/tree", work.parent / "home", [work])
    assert {work / "sub/tree/.git", work / ".git", work / ".git/worktrees/tree"} <= set(found.git)
    assert found.open_git == ()
    found = protected_by(SHUT, work, work.parent / "home", [work])
    assert {work / ".git", work / "sub/nested/.git", work / "sub/tree/.git"} <= set(found.git)
    elsewhere = set(protected_by(SHUT, work.parent / "home", work, []).git)
    assert work.parent / "home/.git" in elsewhere
    assert not any(path.is_relative_to(work) for path in elsewhere)


def test_a_repository_is_found_among_any_number_of_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}/deep").mkdir(parents=True)
    (tmp_path / "299/deep/.git").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(nested_repositories(tmp_path)) == [tmp_path / "299/deep/.git"]


@pytest.mark.parametrize("part", ["HEAD", "objects", "refs"])
def test_a_repository_stays_protected_if_commands_remove_a_part_of_it(work: Path, part: str) -> None:
    git(work, "init", "-q")
    git(work, "init", "-q", "nested")
    apart = work / "apart.git"
    git(work, "init", "-q", "--separate-git-dir", str(apart), "sub/tree")
    for directory in (work / ".git", work / "nested/.git", apart):
        (directory / part).rename(directory / "hidden")
    found = protected_by(OPEN, work / "sub/tree", work.parent / "home", [work, work / "sub/tree"])
    assert {apart / "config", apart / "hooks", work / "sub/tree/.git", work / ".git/config"} <= set(found.git)
    assert found.open_git == ()
    found = protected_by(OPEN, work, work.parent / "home", [work])
    assert {work / ".git/config", work / ".git/hooks", work / "nested/.git/hooks"} <= set(found.git)
    assert apart in protected_by(SHUT, work, work.parent / "home", [work]).git


def test_the_settings_stay_protected_with_another_common_directory(work: Path) -> None:
    git(work, "init", "-q")
    (work / ".git/commondir").write_text("../sub\n")
    found = protected_by(OPEN, work, work.parent / "home", [work])
    assert {work / ".git/config", work / ".git/hooks", work / ".git/commondir"} <= set(found.git)
    assert found.open_git == ()


def test_the_repositories_that_existed_at_first_are_protected_and_new_ones_are_not(work: Path) -> None:
    git(work, "init", "-q", "sub/a/b")
    policy = OPEN.model_copy(update={"writable_roots": [Path("sub")]})
    found = protected_by(policy, work, work.parent / "home", [work])
    assert {work / "sub/a/b/.git/config", work / "sub/a/b/.git/hooks"} <= set(found.git)
    git(work, "init", "-q", "new")
    assert work / "new/.git/config" not in protected_by(policy, work, work.parent / "home", [work]).git


def test_the_search_for_repositories_is_bounded(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DIRECTORIES", 5)
    for number in range(9):
        (work / f"{number}/deep/.git").mkdir(parents=True)
    git(work, "init", "-q", "sub")
    assert len(module.repositories_at_first(work)) <= 1
    monkeypatch.setattr(module, "MOST_DIRECTORIES", 100)
    monkeypatch.setattr(module, "MOST_REPOSITORIES", 3)
    module._at_first.clear()
    found = module.repositories_at_first(work)
    assert len(found) == 3
    assert found[0].entry == work / "sub/.git", "the nearest first"


def test_targets_of_gits_links_and_settings_are_protected(work: Path) -> None:
    git(work, "init", "-q")
    for name in ("scripts/commit", "sub/shared.conf", ".githooks/pre-push", "sub/watch"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("")
    (work / ".git/hooks/pre-commit").symlink_to("../../scripts/commit")
    for key, value in (
        ("include.path", "../sub/shared.conf"), ("core.hooksPath", ".githooks"), ("core.fsmonitor", "sub/watch"),
    ):  # fmt: skip
        git(work, "config", key, value)
    found = protected_by(OPEN, work, work.parent / "home", [work])
    assert {work / name for name in ("scripts/commit", "sub/shared.conf", ".githooks", "sub/watch")} <= set(
        found.git
    )
    assert work.parent / "user/.gitconfig" in found.git


def test_targets_of_linked_agent_settings_are_protected(work: Path) -> None:
    home = work.parent / "home"
    (work / "dotfiles").mkdir()
    for name in ("config.toml", "rule.toml"):
        (work / "dotfiles" / name).write_text("")
    (home / "config.toml").symlink_to(work / "dotfiles/config.toml")
    (home / "rules").mkdir()
    (home / "rules/mine.toml").symlink_to(work / "dotfiles/rule.toml")
    (home / "sessions").symlink_to(work / "sub")
    found = protected_by(OPEN, work, home, [work])
    assert {work / "dotfiles/config.toml", work / "dotfiles/rule.toml"} <= set(found.settings)
    assert work / "sub" not in found.settings


def test_a_git_file_that_appears_later_grants_nothing(work: Path) -> None:
    first = protected_by(OPEN, work, work.parent / "home", [work])
    assert first.open_git == ()
    git(work.parent, "init", "-q", "--bare", "apart.git")
    git(work.parent / "apart.git", "config", "core.bare", "false")
    (work / ".git").write_text(f"gitdir: {work.parent / 'apart.git'}\n")
    assert protected_by(OPEN, work, work.parent / "home", [work]).open_git == ()
    assert protected_by(OPEN, work / ".", work.parent / "home", [work]).open_git == ()
    # The control: if it existed at first, it is the repository's own.
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


def test_a_planted_git_file_opens_a_separate_directory_but_not_its_settings(work: Path) -> None:
    """A documented limit: git does not record the tree of a separate directory."""
    data = work.parent / "data"
    git(work.parent, "init", "-q", "--separate-git-dir", str(data), "elsewhere")
    (work / ".git").write_text(f"gitdir: {data}\n")
    planted = protected_by(OPEN, work, work.parent / "home", [work])
    assert planted.open_git == (data,)
    assert {data / "config", data / "hooks", data / "commondir"} <= set(planted.git)
    git(work.parent / "elsewhere", "config", "core.worktree", str(work.parent / "elsewhere"))
    assert protected_by(OPEN, work, work.parent / "home", [work]).open_git == ()
