"""What reaches a terminal, on either stream, and what reaches a file."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario

EVIL = "\x1b]0;owned\x07\x1b[2Jhi\x9b1m\u202e\x08"
SAFE = r"\x1b]0;owned\x07\x1b[2Jhi\x9b1m\u202e\x08"


def on_terminal(
    workspace: Workspace, *arguments: str, only: str = "", env: dict[str, str] | None = None
) -> str:
    """What `code` writes to a terminal: on both streams, or on `only` one while the other goes to a file."""
    ours, theirs = pty.openpty()
    other = workspace.home / "other"
    with other.open("wb") as file:
        process = subprocess.Popen(
            [CODE, *arguments],
            cwd=workspace.directory,
            env={**workspace.environment, "TERM": "xterm", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=file if only == "stderr" else theirs,
            stderr=file if only == "stdout" else theirs,
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        process.wait(30)
    os.close(ours)
    return shown.decode()


def controls(text: str) -> set[str]:
    """The characters that control a terminal, without our own colours and line endings."""
    for style in ("0", "1", "2", "31", "32", "33", "36"):
        text = text.replace(f"\x1b[{style}m", "")
    return {
        character
        for character in text.replace("\r\n", "\n")
        if character != "\n" and not character.isprintable()
    }


@pytest.fixture
def message(workspace: Workspace) -> str:
    scenario = write_scenario(workspace.home, [[sse.message(f"{EVIL} done."), sse.completed()]])
    workspace.environment["CODE_REPLAY"] = str(scenario)
    return f"{EVIL} done."


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("only", ["", "stdout", "stderr"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_message_does_not_control_the_terminal(
    workspace: Workspace, only: str, options: tuple[str, ...]
) -> None:
    shown = on_terminal(workspace, "exec", *options, "go", only=only)
    assert controls(shown) == set()
    assert "done." in shown or (options and only == "stderr")


def test_a_message_in_a_pipe_is_what_the_model_wrote(workspace: Workspace, message: str) -> None:
    done = subprocess.run(
        [CODE, "exec", "go"],
        cwd=workspace.directory,
        env=workspace.environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == f"{message}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("mcp", "list"),
        ("mcp", "list", "--json"),
        ("mcp", "get", "evil"),
        ("mcp", "get", EVIL),
        ("mcp", "test", "evil"),
        ("mcp", "remove", EVIL),
        ("doctor",),
        ("sandbox", "-c", f"{EVIL}=1", "--", "true"),
        ("sandbox", "--", EVIL),
        ("exec", "-c", f"model={EVIL}", "-s", EVIL, "go"),
        ("exec", "-m", EVIL, "-C", EVIL, "go"),
        (f"--{EVIL}",),
        ("apply-patch", f"*** Begin Patch\n*** Update File: {EVIL}\n@@\n-x\n+y\n*** End Patch"),
        ("apply-patch", EVIL),
    ],
)
def test_no_command_prints_its_arguments_unescaped(workspace: Workspace, arguments: tuple[str, ...]) -> None:
    escaped = (
        EVIL.replace("\x1b", "\\u001b")
        .replace("\x07", "\\u0007")
        .replace("\x08", "\\u0008")
        .replace("\x9b", "\\u009b")
    )
    (workspace.home / "config.toml").write_text(
        f'[mcp_servers.evil]\ncommand = "/bin/{escaped}"\nargs = ["{escaped}"]\n'
    )
    shown = on_terminal(workspace, *arguments)
    assert controls(shown) == set()
    assert shown.strip()


@pytest.mark.parametrize("line", ['model = "{}', "{}", '[model_providers.p]\nbase_url = "{}"', '"{}" = 1'])
def test_an_error_in_the_settings_does_not_control_the_terminal(workspace: Workspace, line: str) -> None:
    (workspace.home / "config.toml").write_text('model_provider = "p"\n' + line.format("\u202e\x9b2J"))
    shown = on_terminal(workspace, "exec", "go")
    assert controls(shown) == set()
    assert "code:" in shown


def test_a_log_line_is_one_line_that_does_not_control_the_terminal(
    workspace: Workspace, tmp_path: Path
) -> None:
    code = (
        "import logging, os\n"
        "from code_core.logs import configure_logging\n"
        "configure_logging(os.environ)\n"
        "log = logging.getLogger('code_core')\n"
        "log.warning('server said %s', '\\x1b[2J\\n2026-01-01 ERROR forged\\u202e')\n"
        "try: raise ValueError('\\x1b]0;x\\x07')\n"
        "except ValueError: log.exception('failed')\n"
    )
    environment = {**workspace.environment, "CODE_LOG": "info"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    lines = (workspace.home / "log/code.log").read_text().split("\n")
    assert lines[0].endswith(r"WARNING server said \x1b[2J\x0a2026-01-01 ERROR forged\u202e")
    assert lines[1].endswith("ERROR failed")
    assert lines[2].startswith("  Traceback")
    assert lines[-2] == r"  ValueError: \x1b]0;x\x07"
