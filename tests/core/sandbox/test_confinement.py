from pathlib import Path

import pytest

from code_core.protocol.policies import DangerFullAccess, ReadOnly, WorkspaceWrite
from code_core.sandbox.bubblewrap import bubblewrap_argv
from code_core.sandbox.confinement import (
    SEARCH_AGAIN_SECONDS,
    Confinement,
    confinement_of,
    known_repositories,
    repositories,
)
from code_core.sandbox.seatbelt import seatbelt_profile


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for folder in (".git/hooks", "sub/.git", ".code", "other"):
        (work / folder).mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(work)
    return work


def test_a_policy_that_writes_nothing(work: Path) -> None:
    for policy in (ReadOnly(), DangerFullAccess()):
        assert confinement_of(policy, work, work, {}) == Confinement()


def test_the_working_directory_and_the_temporary_ones(work: Path) -> None:
    home, temporary = work.parent / "home", work / "other"
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert confinement_of(policy, work, home, {}).writable == (work,)
    assert confinement_of(WorkspaceWrite(), work, home, {}).writable == (Path("/tmp").resolve(), work)
    assert confinement_of(policy, work, home, {"TMPDIR": str(temporary)}).writable == (work, temporary)
    policy = WorkspaceWrite(
        exclude_slash_tmp=True, exclude_tmpdir_env_var=True, writable_roots=[Path("../home")]
    )
    assert confinement_of(policy, work, home, {"TMPDIR": str(temporary)}).writable == (home, work)


def test_links_are_resolved_and_what_is_missing_is_left_out(work: Path) -> None:
    policy = WorkspaceWrite(
        exclude_slash_tmp=True, writable_roots=[Path("/no/such/place")], network_access=True
    )
    found = confinement_of(policy, work.parent / "link", work.parent / "home", {})
    assert found == Confinement((work,), (work / ".code",), network=True)


def test_what_is_protected(work: Path) -> None:
    policy = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=False)
    found = confinement_of(policy, work, work / "other", {})
    assert found.protected == (work / ".code", work / ".git", work / "other", work / "sub/.git")


def test_repositories_are_found_below_others_but_not_through_links(work: Path) -> None:
    (work / "loop").symlink_to(work)
    (work / "sub/deep/er").mkdir(parents=True)
    (work / "sub/deep/er/.git").write_text("gitdir: elsewhere")
    assert sorted(repositories(work)) == [work / ".git", work / "sub/.git", work / "sub/deep/er/.git"]


def test_the_command_line_of_bubblewrap() -> None:
    confinement = Confinement((Path("/tmp"), Path("/w")), (Path("/w/.git"),))
    argv = bubblewrap_argv("bwrap", confinement, Path("/w/sub"), 9, ["ls", "-l"])
    joined = " ".join(argv)
    assert joined.startswith(
        "bwrap --ro-bind / / --dev /dev --proc /proc --bind /tmp /tmp --bind /w /w --ro-bind /w/.git"
    )
    assert joined.endswith("--unshare-net --seccomp 9 --chdir /w/sub -- ls -l")
    inner = bubblewrap_argv(
        "bwrap", Confinement((Path("/a"), Path("/a/b/c")), (Path("/a/b"),)), Path("/"), 9, []
    )
    assert "--bind /a /a --ro-bind /a/b /a/b --bind /a/b/c /a/b/c" in " ".join(inner)
    online = bubblewrap_argv("bwrap", Confinement((Path("/"),), network=True), Path("/"), 9, ["ls"])
    assert "--unshare-net" not in online
    assert online[1:4] == ["--bind", "/", "/"]


def test_the_profile_of_seatbelt() -> None:
    profile = seatbelt_profile(Confinement((Path('/w "x"'),), (Path('/w "x"/.git'), Path("/other"))))
    assert (
        '(allow file-write* (require-all (subpath "/w \\"x\\"") (require-not (subpath "/w \\"x\\"/.git"))))'
        in profile
    )
    assert profile.count("(") - profile.count(")") == 0
    assert "(deny default)" in profile
    assert "network" not in profile
    assert "(allow network-outbound (remote ip))" in seatbelt_profile(Confinement(network=True))


def test_repositories_are_searched_for_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("code_core.sandbox.confinement.time.monotonic", lambda: now)
    (tmp_path / "one/.git").mkdir(parents=True)
    assert known_repositories(tmp_path) == (tmp_path / "one/.git",)
    (tmp_path / "two/.git").mkdir(parents=True)
    assert known_repositories(tmp_path) == (tmp_path / "one/.git",)
    now += SEARCH_AGAIN_SECONDS
    assert set(known_repositories(tmp_path)) == {tmp_path / "one/.git", tmp_path / "two/.git"}
