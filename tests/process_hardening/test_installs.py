import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from process_hardening.accounts import Account
from process_hardening.environments import Environment, make_environment, make_tool
from process_hardening.probing import report_of

MODULE = "code_responses_api_proxy"


def assert_hardened(report: dict[str, Any]) -> None:
    assert report["dumpable"] == 0
    assert report["core"] == [0, 0]
    assert report["no_new_privileges"] == 1
    assert report["isolated"] == 1
    assert "disable-remote-debug" in report["options"]


@pytest.fixture(scope="session")
def kinds(open_folder: Path, account: Account) -> Callable[[str], Environment]:
    made: dict[str, Environment] = {}

    def make(kind: str) -> Environment:
        if kind not in made:
            folder = open_folder / kind
            folder.mkdir()
            made[kind] = (
                make_tool(folder, account.python)
                if kind == "tool"
                else make_environment(folder, account.python, editable=kind == "editable")
            )
        return made[kind]

    return make


@pytest.mark.parametrize("kind", ["wheel", "editable", "tool"])
def test_the_hook_is_present_however_it_is_installed(kind: str, kinds: Callable[[str], Environment]) -> None:
    environment = kinds(kind)
    assert (environment.site_packages / "code_process_hardening.pth").is_file()
    assert (environment.site_packages / "code_process_hardening.start").is_file()
    # As whoever runs the tests: an editable install points into a folder that others may not enter.
    report = report_of(Account(None, Path(environment.python)), [environment.script, "--port", "1"])
    assert_hardened(report)
    assert report["arguments"] == ["--port", "1"]


@pytest.mark.parametrize(
    "options", [(), ("-I",), ("-E",), ("-s",), ("-I", "-X", "disable-remote-debug")], ids=" ".join
)
@pytest.mark.parametrize("start", ["script", "module"])
def test_the_hook_runs_under_the_interpreters_options(
    options: tuple[str, ...], start: str, account: Account, installed: Environment
) -> None:
    program = [installed.script] if start == "script" else ["-m", MODULE]
    report = report_of(account, [installed.python, *options, *program, "a", "b"])
    assert_hardened(report)
    assert report["arguments"] == ["a", "b"]


def test_a_renamed_script_is_hardened_by_main(
    account: Account, installed: Environment, open_folder: Path
) -> None:
    renamed = open_folder / "renamed"
    renamed.symlink_to(installed.script)
    assert_hardened(report_of(account, [str(renamed)]))


def test_without_site_main_hardens(account: Account, installed: Environment) -> None:
    script = (
        f"import sys; sys.path.append({str(installed.site_packages)!r}); from {MODULE} import main; main()"
    )
    assert_hardened(report_of(account, [installed.python, "-S", "-c", script]))


def test_an_unrelated_program_is_left_alone(account: Account, installed: Environment) -> None:
    environment = {"PYTHONWARNINGS": "default", "LD_BIND_NOW": "1"}
    report = report_of(account, [str(installed.folder / "bin" / "unrelated")], environment)
    assert not report["hooked"]
    assert report["dumpable"] == 1
    assert report["no_new_privileges"] == 0
    assert report["isolated"] == 0
    assert set(map(ascii, environment)) <= set(report["environment"])


def test_the_environment_can_request_hardening_of_any_program(
    account: Account, installed: Environment
) -> None:
    program = [str(installed.folder / "bin" / "unrelated")]
    report = report_of(account, program, {"CODE_PROCESS_HARDENING": "1"})
    assert report["hooked"]
    assert report["dumpable"] == 0
    assert report["core"] == [0, 0]


@pytest.mark.parametrize("value", ["0", "", "off"])
def test_the_environment_cannot_prevent_hardening(
    value: str, account: Account, installed: Environment
) -> None:
    assert_hardened(report_of(account, [installed.script], {"CODE_PROCESS_HARDENING": value}))


FAULTS = {
    "the kernel refuses to close the memory": (5, "libc.prctl = refuse"),
    "the kernel says yes and does nothing": (5, "libc.prctl = lambda option, argument=0: 1"),
    "a tracer is attached": (5, "linux.tracer_pid = lambda status: 42"),
    "a debugger cannot be refused on macOS": (6, "libc.deny_attach = refuse; sys.platform = 'darwin'"),
    "core files cannot be turned off": (7, "core_files.resource.setrlimit = refuse"),
    "the interpreter cannot be restarted": (5, "os.execve = refuse"),
    "something nobody thought of": (5, "premain._strip_environment = lambda allow: 1 / 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_that_fails_ends_the_process(fault: str, account: Account, installed: Environment) -> None:
    code, injected = FAULTS[fault]
    source = (
        "import os, sys\n"
        "from code_process_hardening import core_files, libc, linux, premain\n"
        "def refuse(*arguments): raise OSError(1, 'injected')\n"
        f"{injected}\n"
    )
    # Runs before the hook: `site` takes the files in the order of their names.
    (installed.site_packages / "code_fault.py").write_text(source)
    first = installed.site_packages / "aaa_fault.pth"
    first.write_text("import code_fault\n")
    try:
        done = account.run([installed.python, "-m", MODULE], cwd="/")
    finally:
        first.unlink()
    assert done.returncode == code
    assert done.stdout == b""
    assert done.stderr.startswith(b"code-process-hardening: ")
    assert done.stderr.count(b"\n") == 1


def test_a_broken_installation_ends_the_process(account: Account, installed: Environment) -> None:
    first = installed.site_packages / "aaa_fault.pth"
    first.write_text("import sys; sys.modules['code_process_hardening.startup'] = None\n")
    try:
        done = account.run([installed.script])
        # A program is not hardened just because its name is an argument.
        other = account.run([installed.python, "-c", "print(1)", "packages/responses-api-proxy", MODULE])
    finally:
        first.unlink()
    assert done.returncode == 5
    assert b"cannot harden this process" in done.stderr
    assert other.stdout == b"1\n"


def test_the_hook_costs_other_programs_almost_nothing(installed: Environment) -> None:
    line = (installed.site_packages / "code_process_hardening.pth").read_text()
    script = (
        "import os, sys, time\n"
        f"line = {line!r}\n"
        "before = set(sys.modules); spent = []\n"
        "for _ in range(50):\n"
        "    start = time.perf_counter(); exec(line); spent.append(time.perf_counter() - start)\n"
        "assert set(sys.modules) == before\n"
        "print(sorted(spent)[25])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CODE_")}
    done = subprocess.run(
        [installed.python, "-I", "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert float(done.stdout) < 0.0005
