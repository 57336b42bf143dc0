"""Which directories are writable if commands may have put links on the way to them."""

from pathlib import Path

import pytest

from code_core.protocol.policies import WorkspaceWrite
from code_core.sandbox.confinement import confinement_of
from code_core.sandbox.writable import redirected_roots, writable_roots
from core.sandbox.test_git_directories import git


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in ("work/inner", "victim/out", "data"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path / "work"


def policy(*roots: str | Path) -> WorkspaceWrite:
    return WorkspaceWrite(exclude_slash_tmp=True, writable_roots=[Path(root) for root in roots])


@pytest.mark.parametrize("name", ["link", "link/out", "inner/../link", "inner/chain", "inner/chain/out"])
def test_a_link_in_a_writable_directory_does_not_make_its_target_writable(work: Path, name: str) -> None:
    (work / "link").symlink_to("../victim")
    (work / "inner/chain").symlink_to("../link")
    assert writable_roots(policy(name), work, {}) == [work]
    assert redirected_roots(policy(name), work, {}) == [work / name]
    assert writable_roots(policy(), work, {"TMPDIR": str(work / name)}) == [work]


def test_a_working_directory_that_was_replaced_is_not_writable(work: Path) -> None:
    (work / "inner").rename(work / "old")
    (work / "inner").symlink_to("../victim")
    assert writable_roots(policy(work), work / "inner", {}) == [work]
    git(work.parent / "victim", "init", "-q")
    found = confinement_of(policy(work), work / "inner", work.parent / "home", {})
    assert found.writable == (work,)


def test_a_link_to_its_own_directory_could_lead_elsewhere_later(work: Path) -> None:
    (work / "self").symlink_to(".")
    assert writable_roots(policy(), work / "self", {}) == []


def test_a_link_that_only_the_user_can_change_is_followed(work: Path) -> None:
    (work.parent / "link").symlink_to("data")
    (work.parent / "top").symlink_to(work.parent)
    roots = policy("../link", work.parent / "top/victim/../data")
    assert writable_roots(roots, work.parent / "top/work", {}) == [
        work, work.parent / "data", work.parent / "data",
    ]  # fmt: skip
    assert redirected_roots(roots, work, {}) == []


def test_endless_links_do_not_hang(work: Path) -> None:
    (work / "a").symlink_to("b")
    (work / "b").symlink_to("a")
    assert redirected_roots(policy("a"), work, {}) == [work / "a"]
