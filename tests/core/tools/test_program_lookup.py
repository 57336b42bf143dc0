import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from code_core.protocol.policies import ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.safety.known_safe import Reading, reading
from code_core.tools import program_lookup
from code_core.tools.program_lookup import ProgramLookup, ResolvedCommand

SYSTEM = "/usr/local/bin:/usr/bin:/bin"
POLICIES: list[SandboxPolicy] = [ReadOnly(), WorkspaceWrite()]


@pytest.fixture(params=POLICIES, ids=lambda policy: policy.mode)
def policy(request: pytest.FixtureRequest) -> SandboxPolicy:
    chosen: SandboxPolicy = request.param
    return chosen


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def plant(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def resolve(
    policy: SandboxPolicy, work: Path, *argv: str, path: str = SYSTEM, **environment: str
) -> ResolvedCommand:
    whole: Mapping[str, str] = {"PATH": path, "HOME": "/nonexistent", **environment}
    return ProgramLookup(policy, work, work, whole).resolve(argv)


def test_system_programs_keep_their_names(policy: SandboxPolicy, work: Path) -> None:
    command = resolve(policy, work, "bash", "-lc", "ls | head; cd x && pwd")
    assert command.argv == command.run == ("bash", "-lc", "ls | head; cd x && pwd")
    assert reading(command.parts) is Reading.ALWAYS
    assert resolve(policy, work, "ls", "-l").parts == (("ls", "-l"),)
    assert resolve(policy, work, "ls", "-l").program in {"/usr/bin/ls", "/bin/ls"}
    assert resolve(policy, work, "/bin/ls").program is None
    assert resolve(policy, work, "no-such-program").program is None


@pytest.mark.parametrize(
    "entry", ["", ".", "bin", "./bin", "../work/bin", "WORK/bin", "WORK/node_modules/.bin", "TMP"]
)
def test_a_planted_program_is_shown_by_its_path(
    policy: SandboxPolicy, work: Path, tmp_path: Path, entry: str
) -> None:
    folder = entry.replace("WORK", str(work)).replace("TMP", str(tmp_path))
    path = f"{folder}:{SYSTEM}"
    clean = resolve(policy, work, "ls", path=path)
    assert clean.argv == ("ls",)
    assert clean.run[0] in {"/usr/bin/ls", "/bin/ls"}  # what is planted later does not run
    for name in ("ls", "bash", "make"):
        plant(work / folder, name)
    script = resolve(policy, work, "/bin/bash", "-c", "ls", path=path)
    assert reading(script.parts) is Reading.NO
    for name in ("ls", "bash"):
        command = resolve(policy, work, name, "-lc", "ls", path=path)
        assert Path(command.argv[0]).samefile(work / folder / name)
        assert command.run == command.argv
        assert reading(command.parts) is Reading.NO
    assert resolve(policy, work, "make", path=path).parts != (("make",),)


@pytest.fixture
def usr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that belongs to the system; only the workspace is writable."""
    folder = tmp_path / "usr"
    folder.mkdir()
    monkeypatch.setattr(program_lookup, "SYSTEM_DIRECTORIES", frozenset({str(folder)}))
    monkeypatch.setattr(program_lookup, "_TEMPORARY", ())
    return folder


def test_a_link_to_a_writable_directory_is_not_a_system_program(usr: Path, work: Path) -> None:
    (usr / "ls").symlink_to(plant(work, "mine"))
    assert resolve(ReadOnly(), work, "ls", path=str(usr)).argv == (str(usr / "ls"),)


def test_a_reader_or_a_shell_counts_only_in_system_directories(usr: Path, work: Path, tmp_path: Path) -> None:
    for name in ("ls", "bash", "make"):
        plant(usr, name)
        plant(tmp_path / "opt", name)
        assert resolve(ReadOnly(), work, name, path=str(usr)).argv == (name,)
    for name in ("ls", "bash"):
        assert resolve(ReadOnly(), work, name, path=str(tmp_path / "opt")).argv == (
            str(tmp_path / "opt" / name),
        )
    assert resolve(ReadOnly(), work, "make", path=str(tmp_path / "opt")).argv == ("make",)
    assert resolve(ReadOnly(), work, "make", path="../opt").argv != ("make",)  # wherever `cd` leads


def test_paths_are_not_changed(policy: SandboxPolicy, work: Path) -> None:
    plant(work / "sub", "tool")
    command = resolve(policy, work, "sub/tool", "x", path=f"{work}:{SYSTEM}")
    assert command.argv == command.run == ("sub/tool", "x")
    assert command.parts == (("sub/tool", "x"),)
    script = resolve(policy, work, "bash", "-c", "sub/tool x && ls")
    assert script.parts == (("sub/tool", "x"), ("ls",))


def test_a_planted_program_keeps_its_arguments(policy: SandboxPolicy, work: Path) -> None:
    make = str(plant(work, "make"))
    command = resolve(policy, work, "bash", "-c", "make a b", path=f"{work}:{SYSTEM}")
    assert command.parts == ((make, "a", "b"),)


def test_a_tilde_in_path_is_not_expanded_by_every_shell(policy: SandboxPolicy, work: Path) -> None:
    command = resolve(policy, work, "ls", path=f"~/bin:{SYSTEM}")
    assert command.argv == command.run == ("ls",)
    assert command.parts is None


def loads(work: Path, library: str | Path, policy: SandboxPolicy | None = None, **environment: str) -> bool:
    """Whether `ls` is trusted though it loads `library`."""
    whole = {"PATH": SYSTEM, "LD_PRELOAD": str(library), **environment}
    lookup = ProgramLookup(policy or ReadOnly(), work / "cwd", work, whole)
    return reading(lookup.resolve(["ls"]).parts) is Reading.ALWAYS


def test_commands_may_write_in_the_workspace_and_where_the_policy_allows_it(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        if Path(folder).is_dir():
            assert not loads(work, f"{folder}/x.so")
    monkeypatch.setattr(program_lookup, "_TEMPORARY", ())
    other = tmp_path / "other"
    bounds = {"exclude_slash_tmp": True, "exclude_tmpdir_env_var": True}
    assert loads(work, other / "x.so", WorkspaceWrite(**bounds))
    assert not loads(work, other / "x.so", WorkspaceWrite(writable_roots=[other], **bounds))
    assert not loads(work, other / "x.so", TMPDIR=str(other))
    assert loads(work, other / "x.so", TMPDIR="")
    assert not loads(work, work / "x.so")
    assert not loads(work, f"{other}/x.so {work}/x.so")
    (work / "cwd").symlink_to(tmp_path / "elsewhere")
    assert not loads(work, tmp_path / "elsewhere/x.so")
    (work / "loop").symlink_to("loop")
    assert not loads(work, work / "loop/x.so")


def test_commands_cannot_write_files_protected_by_the_system(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = work / "lib/x.so"
    library.parent.mkdir()
    library.write_text("x")
    assert not loads(work, library)  # whoever owns a file may make it writable
    owner, writable = library.stat().st_uid, set[Path]()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.X_OK or Path(path) in writable)
    assert loads(work, library)
    for path in (library, library.parent):
        writable = {path}
        assert not loads(work, library)


def test_a_relative_entry_of_path_changes_its_meaning_after_cd(policy: SandboxPolicy, work: Path) -> None:
    plant(work / "x/bin", "ls")
    path = f"bin:{SYSTEM}"
    assert reading(resolve(policy, work, "bash", "-c", "ls", path=path).parts) is Reading.ALWAYS
    assert reading(resolve(policy, work, "bash", "-c", "cd x && ls", path=path).parts) is Reading.NO


@pytest.mark.parametrize(
    "environment",
    [
        {"BASH_ENV": "WORK/x"},
        {"ENV": "x"},
        {"ZDOTDIR": "WORK"},
        {"LD_PRELOAD": "WORK/x.so"},
        {"LD_LIBRARY_PATH": "/lib:"},
        {"BASH_FUNC_ls%%": "() { x; }"},
        {"HOME": "WORK"},
    ],
)
def test_a_shell_whose_startup_files_are_writable_is_not_plain(
    policy: SandboxPolicy, work: Path, environment: dict[str, str]
) -> None:
    real = {name: value.replace("WORK", str(work)) for name, value in environment.items()}
    assert reading(resolve(policy, work, "bash", "-lc", "ls", **real).parts) is Reading.NO
    elsewhere = {name: "/etc/x" for name in environment if "%" not in name}
    assert reading(resolve(policy, work, "bash", "-lc", "ls", **elsewhere).parts) is Reading.ALWAYS


def test_a_login_shell_and_zsh_read_files_of_the_home_directory(usr: Path, work: Path) -> None:
    for name in ("bash", "zsh", "ls", "git"):
        plant(usr, name)
    for shell, options, script, trusted in (
        ("bash", "-c", "ls", True),
        ("bash", "-lc", "pwd", False),
        ("zsh", "-c", "pwd", False),
    ):
        command = resolve(ReadOnly(), work, shell, options, script, path=str(usr), HOME=str(work))
        assert (reading(command.parts) is Reading.ALWAYS) is trusted, (shell, options)


def test_writable_settings_of_rg_are_taken_into_account(usr: Path, work: Path) -> None:
    plant(usr, "rg")
    for settings, expected in (
        ("/etc/rgrc", Reading.ALWAYS),
        (str(work / "rgrc"), Reading.NO),
        ("x", Reading.NO),
    ):
        command = resolve(ReadOnly(), work, "rg", "x", "y", path=str(usr), RIPGREP_CONFIG_PATH=settings)
        assert command.argv == ("rg", "x", "y")
        assert command.parts == (("rg" if expected is Reading.ALWAYS else "./rg", "x", "y"),)
        assert reading(command.parts) is expected


def test_missing_programs_keep_their_names(policy: SandboxPolicy, work: Path) -> None:
    command = resolve(policy, work, "no-such-program", "x")
    assert command.argv == command.run == ("no-such-program", "x")
    assert command.parts is None
    assert resolve(policy, work, "bash", "-c", "no-such-program").parts is None


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "x\ud800", "é" * 200])
def test_impossible_program_names_are_kept(policy: SandboxPolicy, work: Path, name: str) -> None:
    assert resolve(policy, work, name).argv == (name,)
    assert resolve(policy, work, name, path=f"{work}:{SYSTEM}").parts is None
