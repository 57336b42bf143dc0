"""Real checkers, on a copy of a real workspace."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
import psutil
import pytest
from watchfiles import watch

from code_core.files.delete_tree import delete_tree
from code_core.patch import FileEdit
from code_core.sandbox.detection import Detection, Finding, detect
from code_core.validation import harness
from code_core.validation.findings import Report
from code_core.validation.staging import MOST_SECONDS
from code_core.validation.switches import ValidationSwitches
from code_core.validation.tools import CHECKERS, Checker
from core.patch.build import added, deleted, updated
from support.repository import make_repository

SCRIPTS = str(Path(sys.executable).parent)
PATH = os.pathsep.join([SCRIPTS, os.defpath])
NOTHING = Detection((Finding("bwrap", None, "not installed"),))


def run(
    work: Path, *edits: FileEdit, path: str = PATH, switches: ValidationSwitches | None = None, **more: str
) -> Report | None:
    environment: Mapping[str, str] = {"PATH": path, **more}
    base = next(folder for folder in work.parents if not (folder / ".git").exists()) / "place"
    return anyio.run(harness.validate, edits, work, environment, switches or ValidationSwitches(), base)


def found(report: Report | None) -> set[tuple[str, str]]:
    assert report is not None
    return {(issue.tool, issue.file) for issue in report.issues}


def program(folder: Path, name: str, script: str) -> str:
    """Put a checker on a PATH of its own."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), os.defpath])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    make_repository(folder)
    return folder


@pytest.fixture(autouse=True)
def base(tmp_path: Path) -> Iterator[Path]:
    """Check that nothing is left in the directory for copies."""
    yield tmp_path / "place"
    assert list((tmp_path / "place").glob("*")) == []


def test_real_checkers_find_problems_in_the_new_files(work: Path) -> None:
    (work / "old.sh").write_text("echo $unquoted\n")
    report = run(
        work,
        added(work / "a.py", "import os\nprint(undefined)\n"),
        added(work / "sub/b.py", "x = (\n"),
        updated(work / "old.sh", "echo $unquoted\n", "#!/bin/sh\necho $more\n", work / "new.sh"),
        deleted(work / "gone.py", "x = (\n"),
        added(work / "c.json", "{"),
        added(work / "fine.toml", "a = 1\n"),
    )
    assert report is not None
    assert report.checks == ("json", "toml", "python", "ruff", "shellcheck")
    assert not report.failed
    assert found(report) >= {
        ("ruff", "a.py"), ("python", "sub/b.py"), ("ruff", "sub/b.py"), ("shellcheck", "new.sh"), ("json", "c.json"),
    }  # fmt: skip
    assert not found(report) & {("shellcheck", "old.sh"), ("python", "gone.py"), ("toml", "fine.toml")}
    messages = [issue.message for issue in report.issues]
    assert any("F821" in message and message.startswith("2:") for message in messages)
    assert any("SC2086" in message for message in messages)
    assert not any("code-validation" in message for message in messages)


def test_nothing_to_check_means_no_report(work: Path) -> None:
    assert run(work, added(work / "a.txt", "{"), deleted(work / "a.py", "x = (")) is None
    off = ValidationSwitches(groups={"functional": False})
    assert run(work, added(work / "a.py", "x = ("), added(work / "a.json", "{"), switches=off) is None


def test_checkers_see_the_settings_of_the_workspace(work: Path) -> None:
    edits = (added(work / "sub/a.py", "import os\n"), added(work / "sub/a.sh", "#!/bin/sh\necho $1\n"))
    assert found(run(work, *edits)) == {("ruff", "sub/a.py"), ("shellcheck", "sub/a.sh")}
    (work / "ruff.toml").write_text('lint.ignore = ["F401"]\n')
    (work / ".shellcheckrc").write_text("disable=SC2086\n")
    assert found(run(work, *edits)) == set()
    settings = added(work / "ruff.toml", 'lint.select = ["F401"]\n')
    assert found(run(work, settings, *edits)) == {("ruff", "sub/a.py")}


def test_paths_are_relative_to_the_working_directory_and_settings_come_from_the_repository(
    work: Path,
) -> None:
    (work / "sub").mkdir()
    (work / "ruff.toml").write_text('lint.select = ["F401"]\n')
    report = run(work / "sub", added(work / "sub/a.py", "import os\n"), added(work / "b.py", "import os\n"))
    assert found(report) == {("ruff", "a.py"), ("ruff", "../b.py")}


@pytest.mark.parametrize("name", ["-rf.py", "with space.py", "a'b.py", "\u00e9\U0001f600.py"])
def test_files_with_unusual_names_are_checked(work: Path, name: str) -> None:
    only = ValidationSwitches(allowed=frozenset({"python"}))
    assert found(run(work, added(work / name, "x = (\n"), switches=only)) == {("python", name)}


def test_files_outside_are_not_checked(work: Path, tmp_path: Path) -> None:
    assert run(work, added(tmp_path / "a.json", "{"), added(tmp_path / "b.py", "x = (")) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", "a" + ".a" * 500_000 + "=1"), ("a.yaml", "{a: " * 200_000), ("a.yaml", "[" * 1_000_000)],
)
def test_a_text_that_takes_too_long_to_parse_is_abandoned(work: Path, name: str, text: str) -> None:
    report = run(work, added(work / name, text), switches=ValidationSwitches(seconds=1.0))
    assert report is not None
    assert report.checks == (f"{name[2:]}: did not end within 1 s",)


@pytest.mark.parametrize(
    "source",
    ["(" * 100_000, "-" * 100_000 + "1", "a" + ".b" * 100_000, "\0", "\\x", "'\\d'", "x = 1" + " + 1" * 100_000,
     "lambda: " * 50_000, "\udcff", "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 300))],
)  # fmt: skip
def test_hostile_python_gets_a_result(work: Path, source: str) -> None:
    only = ValidationSwitches(allowed=frozenset({"python"}))
    report = run(work, added(work / "a.py", source), switches=only)
    assert report is not None
    assert len(report.checks) == 1


def test_a_slow_checker_is_ended_and_the_others_report(work: Path, tmp_path: Path) -> None:
    path = program(tmp_path / "bin", "shellcheck", "sleep 300 & sleep 300")
    switches = ValidationSwitches(seconds=4.0)
    report = run(
        work, added(work / "a.sh", "echo"), added(work / "a.py", "x = ("), path=path, switches=switches
    )
    assert report is not None
    assert report.checks == ("python", "shellcheck: did not end within 4 s")
    assert (found(report), report.failed) == ({("python", "a.py")}, True)


def test_all_checkers_together_have_a_time_limit(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "MOST_SECONDS", 4.0)
    path = program(tmp_path / "bin", "shellcheck", "sleep 300")
    report = run(work, added(work / "a.sh", "echo"), added(work / "a.py", "x = ("), path=path)
    assert report is not None
    assert found(report) == {("python", "a.py")}
    assert report.checks[1] == "shellcheck: the checks did not end within 4 s"


def test_copies_left_by_a_killed_process_are_deleted_after_a_day(work: Path, tmp_path: Path) -> None:
    old = tmp_path / "place/old/work"
    old.mkdir(parents=True)
    os.utime(old.parent, (0, 0))
    assert found(run(work, added(work / "a.json", "{"))) == {("json", "a.json")}
    assert not old.exists()


def test_a_checker_that_fails_is_reported_in_one_line(work: Path, tmp_path: Path) -> None:
    path = program(tmp_path / "bin", "shellcheck", "echo cannot read my settings >&2; echo more; exit 3")
    report = run(work, added(work / "a.sh", "echo"), path=path)
    assert report is not None
    assert report.checks == ("shellcheck: exit code 3: more",)


def test_checkers_are_confined_and_get_no_secrets(work: Path, tmp_path: Path) -> None:
    if detect().sandbox is None:
        pytest.skip(f"no sandbox here: {detect()}")
    outside = tmp_path / "outside"
    script = (
        f'touch "{outside}" "{work}/x"; touch here && echo "./a.sh:1: made $(pwd) $CODEX_SANDBOX"; '
        'echo "./a.sh:2: key=$API_KEY"'
    )
    report = run(work, added(work / "a.sh", "echo"), path=program(tmp_path / "bin", "shellcheck", script))
    assert report is not None
    made, key = [issue.message for issue in report.issues if issue.message[:2] in {"1:", "2:"}]
    assert made.startswith("1: made ")
    assert key == "2: key="
    assert not outside.exists()
    assert list(work.iterdir()) == [work / ".git"]


@pytest.mark.parametrize(("inside", "runs_code", "runs"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_without_a_sandbox_no_program_in_the_workspace_runs(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: int, runs_code: int, runs: int
) -> None:
    monkeypatch.setattr(harness, "detect", lambda: NOTHING)
    name = "markdownlint" if runs_code else "shellcheck"
    checker = next(checker for checker in CHECKERS if checker.name == name)
    assert checker.runs_code == bool(runs_code)
    file = "a.md" if runs_code else "a.sh"
    path = program((work if inside else tmp_path) / "bin", name, f"echo './{file}:1: I ran'")
    switches = ValidationSwitches(tools={"markdownlint": True})
    report = run(work, added(work / file, "x"), path=path, switches=switches)
    assert (report is not None) == bool(runs)


def test_without_a_sandbox_a_link_in_the_workspace_cannot_run_a_patched_file(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "detect", lambda: NOTHING)
    ran = tmp_path / "ran"
    edits = (added(work / "check", f'touch "{ran}"\n'), added(work / "a.py", "x = 1\n"))
    outside = tmp_path / "bin"
    outside.mkdir()
    (outside / "ruff").symlink_to("/bin/sh")
    run(work, *edits, path=os.pathsep.join([str(outside), os.defpath]))
    assert ran.exists(), "the attack works where the user made the link"
    ran.unlink()
    (work / "bin").mkdir()
    (work / "bin/ruff").symlink_to("/bin/sh")
    (tmp_path / "linked").symlink_to(work / "bin")
    for folder in (work / "bin", tmp_path / "linked"):
        report = run(work, *edits, path=os.pathsep.join([str(folder), os.defpath]))
        assert report is not None
        assert report.checks == ("python",)
    assert not ran.exists()


def test_a_full_disk_prevents_the_checks_with_one_line(work: Path, tmp_path: Path) -> None:
    (tmp_path / "place").write_text("no folder")
    report = run(work, added(work / "a.json", "{"))
    assert report is not None
    assert report.failed
    assert report.checks[0].startswith("not run: no copy of the files could be made: ")


@pytest.mark.parametrize(
    ("name", "checked"),
    [("a.json", True), ("sub/package.json", True), ("tsconfig.json", False), ("sub/tsconfig.build.json", False),
     ("x/.vscode/settings.json", False), (".devcontainer/devcontainer.json", False)],
)  # fmt: skip
def test_json_that_may_have_comments_is_not_checked(work: Path, name: str, checked: bool) -> None:
    assert (run(work, added(work / name, "// why\n{}\n")) is not None) == checked


def test_a_project_checker_sees_the_patched_project(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "lib").mkdir()
    (work / "lib/other.py").write_text("OLD = 1\n")
    (work / "lib/gone.py").write_text("")
    (work / "lib/moved.py").write_text("")
    (work / "lib/pyproject.toml").write_text("")
    (work / "lib/.venv").mkdir()
    (work / "lib/.venv/marker").write_text("venv\n")
    (work / "lib/target").mkdir()
    (work / "lib/target/large").write_text("x")
    checker = Checker("mypy", "functional", ("*.py",), ("mypy",), markers=("pyproject.toml",))
    monkeypatch.setattr(harness, "CHECKERS", (checker,))
    script = (
        'for one in $(cat other.py .venv/marker | tr -d " ") $(ls -A); do echo "a.py:1: $one"; done; cat a.py'
    )
    report = run(
        work,
        added(work / "lib/a.py", "NEW"),
        deleted(work / "lib/gone.py", ""),
        updated(work / "lib/moved.py", "", "", work / "lib/to.py"),
        path=program(tmp_path / "bin", "mypy", script),
    )
    assert report is not None
    expected = {issue.message for issue in report.issues}
    assert expected >= {"1: OLD=1", "1: venv", "1: .venv", "1: a.py", "1: other.py", "1: pyproject.toml"}
    assert not expected & {"1: target", "1: gone.py", "1: moved.py"}
    assert (work / "lib/.venv/marker").exists()


def test_a_project_that_is_too_large_is_left_out_and_reported(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_core.validation.staging.MOST_FILES", 3)
    (work / "pyproject.toml").write_text("")
    for number in range(5):
        (work / f"{number}.txt").write_text("x")
    path = program(tmp_path / "bin", "mypy", "exit 0")
    report = run(work, added(work / "a.py", ""), path=path)
    assert report is not None
    assert "mypy: left out: the project is too large to be copied" in report.checks


@pytest.mark.parametrize("shape", ["deep", "wide"])
def test_a_tree_with_many_directories_is_left_out_quickly(work: Path, tmp_path: Path, shape: str) -> None:
    (work / "mypy.ini").write_text("")
    here = work
    for number in range(1200):  # more than Python recurses
        (here / f"{number % 10}{'' if shape == 'deep' else number}").mkdir()
        here = here / f"{number % 10}" if shape == "deep" else work
    for number in range(4000 if shape == "wide" else 0):
        (work / f"more{number}").mkdir()
    path = program(tmp_path / "bin", "mypy", "exit 0")
    began = time.monotonic()
    try:
        report = run(work, added(work / "a.py", ""), path=path)
    finally:
        parent = os.open(work.parent, os.O_RDONLY)
        delete_tree(work.name, parent)  # pytest's own clean-up is recursive
        os.close(parent)
    assert report is not None
    assert "mypy: left out: the project is too large to be copied" in report.checks
    assert time.monotonic() - began < MOST_SECONDS


def wait_for_file(folder: Path, pattern: str) -> None:
    for _ in watch(folder, rust_timeout=50, yield_on_timeout=True):
        if list(folder.glob(pattern)):
            return


@pytest.mark.parametrize("confined", [True, False])
def test_cancelling_ends_the_checkers(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined: bool
) -> None:
    if not confined:
        monkeypatch.setattr(harness, "detect", lambda: NOTHING)
    base = tmp_path / "place"
    base.mkdir()
    mark = f"300.{os.getpid()}"  # identifies its processes, which have different parents
    path = program(tmp_path / "bin", "shellcheck", f"sleep {mark} & touch started; sleep {mark}")
    running: list[psutil.Process] = []

    async def main() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(
                    harness.validate,
                    [added(work / "a.sh", "")],
                    work,
                    {"PATH": path},
                    ValidationSwitches(),
                    base,
                )
                await anyio.to_thread.run_sync(wait_for_file, base, "*/work/started")
                running.extend(
                    process
                    for process in psutil.process_iter(["cmdline"])
                    if process.info["cmdline"] == ["sleep", mark]
                )
                group.cancel_scope.cancel()

    anyio.run(main)
    assert running
    assert psutil.wait_procs(running, timeout=10)[1] == []


def test_the_workspace_is_not_touched(work: Path) -> None:
    (work / "pyproject.toml").write_text("")
    (work / "a.sh").write_text("old")
    seen: set[str] = set()
    ready = threading.Event()

    def listen() -> None:
        for changes in watch(work, debounce=50, step=10, rust_timeout=100, yield_on_timeout=True):
            ready.set()
            seen.update(Path(path).name for _, path in changes)
            if "last" in seen:
                return

    listener = threading.Thread(target=listen)
    listener.start()
    assert ready.wait(10)
    report = run(work, updated(work / "a.sh", "old", "echo $1\n"), added(work / "new/b.py", "x = ("))
    assert found(report) >= {("shellcheck", "a.sh"), ("python", "new/b.py")}
    (work / "last").write_text("")
    listener.join(10)
    assert seen == {"last"}
