"""How `code` finds the command among its words."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from code_cli.main import cli
from code_cli.run import run_frontend
from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario


@pytest.fixture
def scripted(workspace: Workspace) -> Workspace:
    responses = [[sse.message("done"), sse.completed()]]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    return workspace


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "x", "exec", "hi"),
        ("--model=x", "exec", "hi"),
        ("--full-auto", "-m", "x", "exec", "hi"),
        ("-c", "model=x", "e", "hi"),
        ("-m", "x", "exec", "-s", "read-only", "hi"),
        ("-o", "answer", "-m", "x", "exec", "hi"),
    ],
)
def test_options_may_stand_before_the_command(scripted: Workspace, words: tuple[str, ...]) -> None:
    done = scripted.run(*words)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.startswith("model x,")


def test_the_value_of_an_option_is_not_a_command(scripted: Workspace) -> None:
    assert "model exec," in scripted.run("-m", "exec", "hi").stdout


@pytest.mark.parametrize("word", ["apply", "help", "version", "completion", "debug", "features", "review"])
@pytest.mark.parametrize("before", [(), ("-m", "x")])
def test_a_command_of_other_agents_is_not_a_prompt(
    scripted: Workspace, word: str, before: tuple[str, ...]
) -> None:
    done = scripted.run(*before, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Error: there ")


def test_a_sentence_that_begins_with_the_name_of_such_a_command_is_a_prompt(scripted: Workspace) -> None:
    done = scripted.run("help me", stdin="")
    assert "done" in done.stdout


def run_in_shell(workspace: Workspace, words: str) -> subprocess.CompletedProcess[str]:
    return workspace.run(prefix=["sh", "-c", f'exec "$0" {words}'])


@pytest.mark.parametrize("redirections", ["2>&-", "<&-", "2>&- <&-"])
def test_a_closed_stderr_or_stdin_does_not_stop_a_run(scripted: Workspace, redirections: str) -> None:
    done = run_in_shell(scripted, f"exec hi {redirections}")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_run_whose_answer_would_go_to_a_closed_stdout_does_not_start(
    scripted: Workspace, options: str
) -> None:
    done = run_in_shell(scripted, f"exec {options} hi >&-")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "Error: standard output is closed, so the answer would be lost"
    )
    assert not [*scripted.home.glob("sessions/**/*.jsonl")]
    assert run_in_shell(scripted, "exec hi >&- 2>&- <&-").returncode == 2


@pytest.mark.parametrize("options", ["", "--json"])
def test_an_answer_that_goes_to_a_file_needs_no_stdout(scripted: Workspace, options: str) -> None:
    done = run_in_shell(scripted, f"exec {options} -o answer hi >&-")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (scripted.directory / "answer").read_text() == "done\n"


@pytest.mark.parametrize(
    "words", ["--version", "--help", "sessions list", "config get model", "config schema"]
)
def test_output_that_goes_to_a_closed_stdout_is_a_failure(scripted: Workspace, words: str) -> None:
    done = run_in_shell(scripted, f"{words} >&-")
    assert done.returncode == 1
    assert done.stderr == "code: the output cannot be written: standard output is closed\n"


CLICK_SENDS_AN_INTERRUPT = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("module", ["click", "anyio", "pydantic"])
def test_ctrl_c_during_an_import_ends_the_process_silently(
    scripted: Workspace, tmp_path: Path, module: str
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / f"{module}.py").write_text(CLICK_SENDS_AN_INTERRUPT)
    scripted.environment["PYTHONPATH"] = str(tmp_path / "first")
    done = scripted.run("exec", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_during_an_import_is_ignored_if_the_caller_ignores_it(
    scripted: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "click.py").write_text(f"{CLICK_SENDS_AN_INTERRUPT}raise SystemExit(7)")
    scripted.environment["PYTHONPATH"] = str(tmp_path)
    done = scripted.run(prefix=["sh", "-c", 'trap "" INT; exec "$0"'])
    assert done.returncode == 7


def test_ctrl_c_while_a_frontend_runs_cancels_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    cleaned_up: list[bool] = []

    async def frontend() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep(60)
        finally:
            cleaned_up.append(True)
        return 0

    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with pytest.raises(SystemExit) as end:
            run_frontend(frontend)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (end.value.code, cleaned_up) == (130, [True])


def test_ctrl_c_while_a_command_is_imported_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("code_cli.lazy_group.import_module", interrupted)
    done = CliRunner().invoke(cli, ["exec", "hi"])
    assert (done.exit_code, done.output) == (130, "")


@pytest.mark.parametrize(
    "arguments", ["undo", "resume --last", "exec hi", "fork --last", "sessions list -C .", "apply-patch x"]
)
def test_a_deleted_working_directory_is_named(scripted: Workspace, tmp_path: Path, arguments: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "$1" && rmdir "$1" && exec "$0" {arguments}'
    done = scripted.run(str(gone), prefix=["sh", "-c", script])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "the current directory no longer exists: change to another one"
    )


def test_a_deleted_working_directory_does_not_matter_if_another_one_is_given(
    scripted: Workspace, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "$1" && rmdir "$1" && exec "$0" exec -C "{scripted.directory}" hi'
    assert scripted.run(str(gone), prefix=["sh", "-c", script]).stdout == "done\n"


def test_acp_in_a_terminal_says_that_editors_start_it(scripted: Workspace) -> None:
    main, terminal = pty.openpty()
    started = subprocess.Popen(
        [CODE, "acp"],
        env=scripted.environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        os.write(main, b"\x04")
        _, errors = started.communicate(timeout=30)
    finally:
        started.kill()
        os.close(main)
        os.close(terminal)
    assert errors.startswith(b"code acp speaks ACP")
