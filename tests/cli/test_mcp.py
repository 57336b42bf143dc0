import json
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from mcp_client.oauth_server import oauth_server
from support.command import Workspace

TESTS = str(Path(__file__).parents[1])
SERVER = ["-S", "-m", "mcp_client.servers.listed"]


@pytest.fixture
def config(workspace: Workspace) -> Path:
    path = workspace.home / "config.toml"
    path.write_text(
        '# mine\nmodel = "gpt-5"  # kept\n\n[mcp_servers.old]  # kept, too\nurl = "http://localhost:1/mcp"\n'
    )
    return path


def test_a_server_is_added_tested_and_removed_without_changing_the_rest_of_the_file(
    workspace: Workspace, config: Path
) -> None:
    before = config.read_text()
    added = workspace.run("mcp", "add", "mine", "--env", f"PYTHONPATH={TESTS}", "--", sys.executable, *SERVER)
    assert (added.returncode, added.stderr) == (0, "")
    assert config.read_text().startswith(before)
    tried = workspace.run("mcp", "test", "mine")
    assert (tried.returncode, tried.stderr) == (0, "")
    lines = tried.stdout.splitlines()
    assert lines[0] == "mine: scripted 1, protocol 2025-11-25"
    assert lines[1].startswith("ready after ")
    assert lines[2:4] == ["9 tools:", "  echo  Says it back."]
    assert workspace.run("mcp", "remove", "mine").returncode == 0
    assert config.read_text().rstrip() == before.rstrip()


def test_a_server_that_is_replaced_is_reported_as_replaced(workspace: Workspace, config: Path) -> None:
    done = workspace.run("mcp", "add", "old", "--", "x")
    assert done.stdout.startswith(f"replaced all settings of old in {config}")
    done = workspace.run("mcp", "add", "new", "--", "x")
    assert done.stdout.startswith(f"added new to {config}")


def test_possible_secrets_are_masked(workspace: Workspace, config: Path) -> None:
    workspace.run(
        "mcp", "add", "keyed", "--env", "TOKEN=hush", "--env-var", "HOME", "--", "prog", "-x", "a b"
    )
    for arguments in (["list"], ["list", "--json"], ["get", "keyed"], ["get", "keyed", "--json"]):
        shown = workspace.run("mcp", *arguments)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "hush" not in shown.stdout
    assert json.loads(workspace.run("mcp", "get", "keyed", "--json").stdout) == {
        "name": "keyed",
        "enabled": True,
        "command": "prog",
        "args": ["-x", "a b"],
        "env": {"TOKEN": "*****"},
        "env_vars": ["HOME"],
    }
    assert [one["name"] for one in json.loads(workspace.run("mcp", "list", "--json").stdout)] == [
        "old",
        "keyed",
    ]
    assert 'TOKEN = "hush"' in config.read_text()


def test_a_new_settings_file_is_readable_only_by_its_owner(workspace: Workspace) -> None:
    assert "add one with" in workspace.run("mcp", "list").stdout
    assert workspace.run("mcp", "add", "web", "--url", "https://example.org/mcp").returncode == 0
    path = workspace.home / "config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == '[mcp_servers.web]\nurl = "https://example.org/mcp"\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "nobody"], "there is no MCP server called 'nobody' (configured: old)"),
        (["test", "nobody"], "there is no MCP server called 'nobody'"),
        (["remove", "nobody"], "mcp_servers.nobody is not set in"),
        (["add", "a b", "--", "x"], "mcp_servers.\"a b\" is 'a b': a name has only letters, digits, - and _"),
        (["add", "both", "--url", "http://x", "--env", "A=hush", "--", "x"], "command and url are both set"),
        (["add", "neither"], "code: mcp_servers.neither: set command or url"),
        (["add", "odd", "--env", "novalue", "--", "x"], "NAME=VALUE"),
    ],
)
def test_a_mistake_is_reported_and_changes_nothing(
    workspace: Workspace, config: Path, arguments: list[str], message: str
) -> None:
    before = config.read_bytes()
    done = workspace.run("mcp", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "hush" not in done.stderr
    assert config.read_bytes() == before


def test_a_server_that_does_not_work_is_reported_in_one_message(workspace: Workspace, config: Path) -> None:
    workspace.run("mcp", "add", "absent", "--", "no-such-program")
    for name, message in (("absent", "no-such-program"), ("old", "connection")):
        done = workspace.run("mcp", "test", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"MCP server '{name}' does not work" in done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert config.exists()


def test_an_unwritable_directory_is_reported_in_one_line(workspace: Workspace) -> None:
    # Not even root makes files there.
    (workspace.home / "config.toml").symlink_to("/proc/self/fd/none/config.toml")
    done = workspace.run("mcp", "add", "x", "--", "y")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "config.toml cannot be written" in done.stderr


def test_codex_settings_are_carried_over_to_a_new_settings_file(workspace: Workspace, tmp_path: Path) -> None:
    del workspace.environment["CODE_HOME"]
    workspace.environment["HOME"] = str(tmp_path)
    (tmp_path / ".codex").mkdir()
    old = tmp_path / ".codex" / "config.toml"
    old.write_text('model = "gpt-5"  # chosen\n')
    assert workspace.run("mcp", "add", "x", "--", "y").returncode == 0
    assert old.read_text() == 'model = "gpt-5"  # chosen\n'
    assert (tmp_path / ".code" / "config.toml").read_text().startswith('model = "gpt-5"  # chosen\n')


@pytest.mark.parametrize(
    "before",
    [
        'mcp_servers = {a = {command = "x"}}  # kept\nmodel = "m"\n',
        '[mcp_servers.a]\ncommand = "x"  # kept\n[tui]\nx = 1\n[mcp_servers.b]\ncommand = "y"\n',
    ],
    ids=["inline", "in two places"],
)
def test_a_server_can_be_added_to_settings_of_any_shape(
    workspace: Workspace, config: Path, before: str
) -> None:
    config.write_text(before)
    added = workspace.run("mcp", "add", "new", "--env", "K=V", "--", "p")
    assert (added.returncode, added.stderr) == (0, "")
    wanted = tomllib.loads(before)
    wanted["mcp_servers"]["new"] = {"command": "p", "env": {"K": "V"}}
    assert tomllib.loads(config.read_text()) == wanted
    assert "# kept" in config.read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('mcp_servers.a.command = "x"\nmodel = "m"\n', "without changing other settings"),
        ("mcp_servers = 3\n", "mcp_servers is 3: it must be a table"),
    ],
)
def test_an_edit_that_would_change_more_is_rejected(
    workspace: Workspace, config: Path, settings: str, message: str
) -> None:
    config.write_text(settings)
    added = workspace.run("mcp", "add", "new", "--", "p")
    assert added.returncode == 2
    assert message in added.stderr
    assert len(added.stderr.splitlines()) == 1
    assert config.read_text() == settings


BROWSER = """#!/bin/sh
exec {python} -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])" "$1"
"""


def test_signing_in_and_out(workspace: Workspace, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable))
    browser.chmod(0o755)
    workspace.environment["BROWSER"] = str(browser)
    with oauth_server() as server:
        assert workspace.run("mcp", "add", "guarded", "--url", server.url).returncode == 0
        refused = workspace.run("mcp", "test", "guarded")
        assert refused.returncode == 1
        assert "HTTP status 401" in refused.stderr
        done = workspace.run("mcp", "login", "guarded")
        assert (done.returncode, done.stdout) == (0, "signed in to guarded\n")
        tried = workspace.run("mcp", "test", "guarded")
        assert (tried.returncode, tried.stderr) == (0, "")
        assert "hush" not in done.stdout + done.stderr + tried.stdout
        assert workspace.run("mcp", "logout", "guarded").stdout == "signed out of guarded\n"
        assert workspace.run("mcp", "logout", "guarded").stdout == "you were not signed in to guarded\n"
        assert workspace.run("mcp", "test", "guarded").returncode == 1


def test_signing_in_to_a_program_is_an_error(workspace: Workspace) -> None:
    workspace.run("mcp", "add", "mine", "--", "prog")
    done = workspace.run("mcp", "login", "mine")
    assert done.returncode == 1
    assert "is not an HTTP server" in done.stderr
