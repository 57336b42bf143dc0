import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from code_core.protocol.policies import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.sandbox.bubblewrap import bubblewrap_argv
from code_core.sandbox.confinement import Confinement, confinement_of
from code_core.sandbox.limits import Limits
from code_core.sandbox.seatbelt import seatbelt_profile
from code_core.sandbox.writable import writable_roots

UNLIMITED = Limits(processes=None, file_bytes=None, shared_memory_bytes=4096)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    for folder in (".git/hooks", "sub/.git", ".code", "other"):
        (work / folder).mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(work)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return work


def test_a_read_only_policy(work: Path) -> None:
    for policy in (ReadOnly(), DangerFullAccess()):
        assert confinement_of(policy, work, work, {}) == Confinement()


def test_the_working_directory_and_the_temporary_ones(work: Path) -> None:
    home, temporary = work.parent / "other home", work / "other"
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert confinement_of(policy, work, home, {}).writable == (work,)
    assert confinement_of(WorkspaceWrite(), work, home, {}).writable == (Path("/tmp").resolve(), work)
    assert confinement_of(policy, work, home, {"TMPDIR": str(temporary)}).writable == (work, temporary)
    policy = WorkspaceWrite(
        exclude_slash_tmp=True, exclude_tmpdir_env_var=True, writable_roots=[Path("../home")]
    )
    assert confinement_of(policy, work, home, {"TMPDIR": str(temporary)}).writable == (
        work.parent / "home",
        work,
    )


def test_links_are_resolved_and_missing_directories_are_left_out(work: Path) -> None:
    policy = WorkspaceWrite(
        exclude_slash_tmp=True, writable_roots=[Path("/no/such/place")], network_access=True
    )
    found = confinement_of(policy, work.parent / "link", work.parent / "home", {})
    # A `.git` that is not a repository now could become one again.
    git = [work / ".git" / name for name in ("commondir", "config", "config.worktree", "hooks")]
    git += [work / "sub/.git" / name for name in ("commondir", "config", "config.worktree", "hooks")]
    absent = tuple(path for path in git if path != work / ".git/hooks")
    assert found == Confinement((work,), (work / ".code", work / ".git/hooks"), absent, network=True)


def test_settings_are_protected_whether_they_exist_or_not(work: Path) -> None:
    policy = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=False)
    (work / ".code").rmdir()
    found = confinement_of(policy, work, work / "other/home", {})
    assert found.protected == (work / ".git", work / "sub/.git")
    assert found.absent == (work / ".code", work / "other/home")
    assert found.pinned() == (work / "other", work / "sub")


def test_the_directories_between_roots_cannot_be_renamed_away(tmp_path: Path) -> None:
    confinement = Confinement((tmp_path, tmp_path / "a/b/c"), (tmp_path / "d/e/f",))
    assert confinement.pinned() == tuple(tmp_path / name for name in ("a", "a/b", "d", "d/e"))
    assert Confinement((tmp_path,), (tmp_path / "d", tmp_path / "d/e/f")).pinned() == ()


def test_one_of_the_agents_own_directories_is_not_writable(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert confinement_of(policy, work, work, {}).writable == ()
    (work / "rules").mkdir()
    assert confinement_of(policy, work / "rules", work, {}).writable == ()
    assert confinement_of(policy, work / "sub", work, {}).writable == (work / "sub",)
    monkeypatch.setattr("code_core.sandbox.protected.own_files", lambda: (work / "other",))
    found = confinement_of(policy, work, work.parent / "home", {})
    assert found.own == (work / "other",)
    assert work / "other" in found.protected
    assert confinement_of(policy, work / "other", work.parent / "home", {}).writable == ()


def test_a_directory_whose_contents_can_be_hidden_is_protected_as_a_whole(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a command takes away the rights to `.git`, to give them back in its next turn."""
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if work / ".git" in path.parents:
            raise PermissionError
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    found = confinement_of(WorkspaceWrite(exclude_slash_tmp=True), work, work.parent / "home", {})
    assert work / ".git" in found.protected
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(work.parent / "user"))
    found = confinement_of(WorkspaceWrite(exclude_slash_tmp=True), work, work.parent / "home", {})
    assert work / ".git" not in found.protected


@pytest.mark.parametrize("root", ["/proc", "/proc/sys", "/sys/kernel", "/dev", "/dev/pts"])
def test_the_kernels_own_files_are_never_writable(root: str) -> None:
    policy = WorkspaceWrite(exclude_slash_tmp=True, writable_roots=[Path(root)])
    assert writable_roots(policy, Path("/work"), {}) == [Path("/work")]


def test_shared_memory_may_be_a_temporary_directory() -> None:
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert Path("/dev/shm/x") in writable_roots(policy, Path("/work"), {"TMPDIR": "/dev/shm/x"})


def test_bubblewraps_command_line() -> None:
    confinement = Confinement((Path("/tmp"), Path("/w")), (Path("/w/.git"),), limits=UNLIMITED)
    argv = bubblewrap_argv("bwrap", confinement, Path("/w/sub"), (8, 9), ["ls", "-l"])
    joined = " ".join(argv)
    assert joined.startswith("bwrap --ro-bind / / --bind /tmp /tmp --bind /w /w --ro-bind /w/.git /w/.git ")
    assert (
        " --proc /proc --remount-ro /proc --dev /dev --size 4096 --perms 1777 --tmpfs /dev/shm --remount-ro /dev "
        in joined
    )
    assert "/sys" not in joined
    assert joined.endswith("--unshare-net --info-fd 8 --seccomp 9 --chdir /w/sub -- ls -l")
    inner = bubblewrap_argv(
        "bwrap", Confinement((Path("/a"), Path("/a/b/c")), (Path("/a/b"),)), Path("/"), (8, 9), []
    )
    assert "--bind /a /a --ro-bind /a/b /a/b --bind /a/b/c /a/b/c" in " ".join(inner)
    online = bubblewrap_argv("bwrap", Confinement((Path("/"),), network=True), Path("/"), (8, 9), ["ls"])
    assert "--unshare-net" not in online
    assert online[1:4] == ["--bind", "/", "/"]
    assert "--ro-bind-try /sys /sys" in " ".join(online)
    shared = bubblewrap_argv("bwrap", Confinement((Path("/dev/shm/x"), Path("/w"))), Path("/w"), (8, 9), [])
    assert shared.index("/w") < shared.index("--tmpfs") < shared.index("/dev/shm/x")


def test_absent_paths_are_protected_and_directories_in_between_are_bind_mounts() -> None:
    confinement = Confinement((Path("/w"),), absent=(Path("/w/a/.code"),))
    joined = " ".join(bubblewrap_argv("bwrap", confinement, Path("/w"), (8, 9), []))
    assert "--bind /w /w --bind /w/a /w/a --ro-bind /w/a/.code /w/a/.code" in joined


def test_limits_come_from_the_policy() -> None:
    limits = replace(UNLIMITED, processes=64, file_bytes=2**20, memory_bytes=2**30)
    assert dict(limits.resources(processes=True)) == {
        resource.RLIMIT_NPROC: 64,
        resource.RLIMIT_FSIZE: 2**20,
        resource.RLIMIT_DATA: 2**30,
    }
    assert resource.RLIMIT_NPROC not in dict(limits.resources(processes=False))
    assert UNLIMITED.resources(processes=True) == []
    policy = WorkspaceWrite(max_processes=64, max_file_bytes=None, max_memory_bytes=2**30)
    assert Limits.of(policy) == Limits(64, None, 2**30)
    assert Limits.of(WorkspaceWrite()) == Limits()


@pytest.mark.parametrize("policy", [ReadOnly(), WorkspaceWrite()])
def test_saved_keys_and_tokens_are_hidden(policy: SandboxPolicy, tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (work, home / "sessions", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    assert confinement_of(policy, work, home, {}).hidden == ()
    (home / "keys").symlink_to(tmp_path / "elsewhere")
    (home / "mcp-tokens").mkdir()
    hidden = (tmp_path / "elsewhere", home / "mcp-tokens")
    confinement = confinement_of(policy, work, home, {})
    assert confinement.hidden == hidden
    for path in hidden:
        assert f'(deny file-read* (subpath "{path}"))' in seatbelt_profile(confinement)


def test_seatbelts_profile() -> None:
    profile = seatbelt_profile(Confinement((Path('/w "x"'),), (Path('/w "x"/.git'), Path("/other"))))
    assert (
        '(allow file-write* (require-all (subpath "/w \\"x\\"") (require-not (subpath "/w \\"x\\"/.git"))))'
        in profile
    )
    assert profile.count("(") - profile.count(")") == 0
    assert "(deny default)" in profile
    assert "network" not in profile
    assert "(allow network-outbound (remote ip))" in seatbelt_profile(Confinement(network=True))


def test_seatbelts_profile_keeps_directories_above_protected_paths_from_being_moved() -> None:
    confinement = Confinement((Path("/w"),), absent=(Path("/w/a/.code"),), links=(Path("/w/.code"),))
    profile = seatbelt_profile(confinement)
    assert '(require-not (subpath "/w/a/.code"))' in profile
    assert profile.endswith(
        '(deny file-write-unlink (literal "/w/a"))\n(deny file-write-unlink (literal "/w/.code"))\n'
    )
