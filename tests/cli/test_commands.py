"""How `code` finds the command among its words."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from code_cli.main import cli
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
    ],
)
def test_options_may_stand_before_the_command(scripted: Workspace, words: tuple[str, ...]) -> None:
    done = scripted.run(*words)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.startswith("model x,")


def test_the_value_of_an_option_is_not_a_command(scripted: Workspace) -> None:
    assert "model exec," in scripted.run("-m", "exec", "hi").stdout


@pytest.mark.parametrize("word", ["login", "logout", "apply", "help", "version", "completion"])
@pytest.mark.parametrize("before", [(), ("-m", "x")])
def test_a_command_of_other_agents_is_not_a_prompt(
    scripted: Workspace, word: str, before: tuple[str, ...]
) -> None:
    done = scripted.run(*before, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Error: there ")


def test_a_sentence_that_begins_with_such_a_word_is_a_prompt(scripted: Workspace) -> None:
    done = scripted.run("help me", stdin="")
    assert "done" in done.stdout


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_stream_that_was_closed_is_no_traceback(scripted: Workspace, redirections: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" exec hi {redirections}', CODE],
        cwd=scripted.directory,
        env=scripted.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stdout == ("" if ">&-" in redirections.replace("2>&-", "") else "done\n")


def test_ctrl_c_while_a_command_is_imported_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("code_cli.lazy_group.import_module", interrupted)
    done = CliRunner().invoke(cli, ["exec", "hi"])
    assert (done.exit_code, done.output) == (130, "")


@pytest.mark.parametrize("arguments", ["undo", "resume --last", "exec hi", "fork --last"])
def test_a_directory_that_is_gone_is_named(scripted: Workspace, tmp_path: Path, arguments: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "$1" && rmdir "$1" && exec "$0" {arguments}'
    done = scripted.run(str(gone), prefix=["sh", "-c", script])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "the current directory no longer exists: change to another one"
    )


def test_a_directory_that_is_gone_does_not_matter_where_another_is_given(
    scripted: Workspace, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "$1" && rmdir "$1" && exec "$0" exec -C "{scripted.directory}" hi'
    assert scripted.run(str(gone), prefix=["sh", "-c", script]).stdout == "done\n"


def test_acp_in_a_terminal_says_who_starts_it(scripted: Workspace) -> None:
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
