from collections.abc import Mapping
from pathlib import Path

import pytest

from code_core.protocol.policies import ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.safety.known_safe import Reading, reading
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


def test_programs_of_the_system_keep_their_names(policy: SandboxPolicy, work: Path) -> None:
    command = resolve(policy, work, "bash", "-lc", "ls | head; cd x && pwd")
    assert command.argv == command.run == ("bash", "-lc", "ls | head; cd x && pwd")
    assert reading(command.parts) is Reading.ALWAYS
    assert resolve(policy, work, "ls", "-l").parts == (("ls", "-l"),)


@pytest.mark.parametrize(
    "entry", ["", ".", "bin", "./bin", "../work/bin", "WORK/bin", "WORK/node_modules/.bin", "TMP"]
)
def test_a_planted_program_is_itself(policy: SandboxPolicy, work: Path, tmp_path: Path, entry: str) -> None:
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


def test_a_link_of_the_system_to_a_place_that_commands_may_write_is_no_program_of_the_system(
    policy: SandboxPolicy, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "usr"
    folder.mkdir()
    (folder / "ls").symlink_to(plant(work, "mine"))
    monkeypatch.setattr("code_core.tools.program_lookup.SYSTEM_DIRECTORIES", frozenset({str(folder)}))
    assert resolve(policy, work, "ls", path=str(folder)).argv == (str(folder / "ls"),)


def test_a_relative_entry_of_path_means_something_else_after_cd(policy: SandboxPolicy, work: Path) -> None:
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
def test_what_a_shell_reads_before_the_script_is_not_for_commands_to_write(
    policy: SandboxPolicy, work: Path, environment: dict[str, str]
) -> None:
    real = {name: value.replace("WORK", str(work)) for name, value in environment.items()}
    assert reading(resolve(policy, work, "bash", "-lc", "ls", **real).parts) is Reading.NO
    elsewhere = {name: "/etc/x" for name in environment if "%" not in name}
    assert reading(resolve(policy, work, "bash", "-lc", "ls", **elsewhere).parts) is Reading.ALWAYS


def test_settings_of_rg_that_commands_may_write(policy: SandboxPolicy, work: Path) -> None:
    rg = plant(work.parent / "usr", "rg")
    for settings, expected in (
        ("/etc/rgrc", Reading.ALWAYS),
        (str(work / "rgrc"), Reading.NO),
        ("x", Reading.NO),
    ):
        lookup = ProgramLookup(policy, work, work, {"PATH": str(rg.parent), "RIPGREP_CONFIG_PATH": settings})
        assert reading([lookup._with_settings(("rg", "x"))]) is expected


def test_what_is_not_installed_stays_as_it_is(policy: SandboxPolicy, work: Path) -> None:
    command = resolve(policy, work, "no-such-program", "x")
    assert command.argv == command.run == ("no-such-program", "x")
    assert command.parts is None
    assert resolve(policy, work, "bash", "-c", "no-such-program").parts is None


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "x\ud800", "é" * 200])
def test_a_name_that_no_file_can_have(policy: SandboxPolicy, work: Path, name: str) -> None:
    assert resolve(policy, work, name).argv == (name,)
    assert resolve(policy, work, name, path=f"{work}:{SYSTEM}").parts is None
