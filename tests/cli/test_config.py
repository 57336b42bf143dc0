import json
from pathlib import Path

import pytest

from support.command import Workspace
from support.scenario import write_scenario
from tui.terminal import Terminal


@pytest.fixture
def file(workspace: Workspace) -> Path:
    path = workspace.home / "config.toml"
    path.write_text('# mine\nmodel = "m"\n[mcp_servers.s]\ncommand = "x"\nenv = { TOKEN = "hush" }\n')
    return path


@pytest.mark.parametrize("text", ["model = gpt-5", "a = 1\na = 2", "[x", None])
def test_a_file_that_cannot_be_read_is_reported_in_the_same_words_everywhere(
    workspace: Workspace, text: str | None
) -> None:
    path = workspace.home / "config.toml"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    words = workspace.run("exec", "hi").stderr
    assert words.startswith(f"code: {path} ")
    assert words.count(str(path)) == 1
    assert workspace.run("config", "set", "model", "x").stderr == words
    assert workspace.run("config", "unset", "model").stderr == words


def test_an_invalid_value_is_reported_in_the_same_words_everywhere(workspace: Workspace) -> None:
    words = "approval_policy is 'x': it must be 'untrusted', 'on-failure', 'on-request' or 'never'"
    assert workspace.run("config", "set", "approval_policy", "x").stderr == f"code: {words}\n"
    assert workspace.run("exec", "-c", "approval_policy=x", "hi").stderr == f"code: -c: {words}\n"
    unknown = "unknown setting modell: did you mean model?"
    assert workspace.run("config", "set", "modell", "x").stderr == f"code: {unknown}\n"
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, []))
    assert f"-c: {unknown}\n" in workspace.run("exec", "-c", "modell=x", "hi").stderr


def test_values_are_set_explained_and_removed_without_changing_the_rest(
    workspace: Workspace, file: Path
) -> None:
    before = file.read_text()
    for key, value in (("limits.max_tool_calls", "5"), ("sandbox_mode", "workspace-write")):
        done = workspace.run("config", "set", key, value)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", f"set {key} in {file}\n")
    explained = workspace.run("config", "explain", "limits.max_tool_calls", "-c", "limits.max_tool_calls=9")
    line = file.read_text().splitlines().index("max_tool_calls = 5") + 1
    assert explained.stdout.splitlines() == [
        "limits.max_tool_calls = 9",
        "  set in -c limits.max_tool_calls (-c)",
        f"  over {file}:{line} (user): 5",
    ]
    assert workspace.run("config", "get", "sandbox_mode").stdout == "workspace-write\n"
    for key in ("limits.max_tool_calls", "sandbox_mode"):
        assert workspace.run("config", "unset", key).returncode == 0
    assert file.read_text().split() == before.split()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "model=other", "config", "get", "model"],
        ["config", "-c", "model=other", "get", "model"],
        ["config", "get", "model", "-c", "model=other"],
    ],
)
def test_options_may_precede_the_command(workspace: Workspace, file: Path, arguments: list[str]) -> None:
    done = workspace.run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "other\n", "")


def test_settings_from_the_environment_are_explained(workspace: Workspace, file: Path) -> None:
    workspace.environment.update(OPENAI_BASE_URL="http://gateway/v1", CODE_REPLAY="scenario")
    key = "model_providers.openai.base_url"
    assert workspace.run("config", "explain", key).stdout.splitlines() == [
        f'{key} = "http://gateway/v1"',
        "  set in OPENAI_BASE_URL (environment)",
    ]
    explained = workspace.run("config", "explain", "model_provider", "-c", "model_provider=openai")
    assert explained.stdout.splitlines() == [
        'model_provider = "replay"',
        "  set in CODE_REPLAY (replay)",
        '  over -c model_provider (-c): "openai"',
    ]


def test_a_default_is_shown_as_a_default(workspace: Workspace, file: Path) -> None:
    assert (
        workspace.run("config", "explain", "approval_policy").stdout
        == 'approval_policy = "on-request"  (the default)\n'
    )


def test_secrets_are_masked(workspace: Workspace, file: Path) -> None:
    for arguments in (
        ["get", "mcp_servers"],
        ["get", "mcp_servers.s.env.TOKEN"],
        ["explain"],
        ["explain", "mcp_servers.s.env.TOKEN"],
        ["explain", "--json"],
    ):
        done = workspace.run("config", *arguments)
        assert done.returncode == 0
        assert "hush" not in done.stdout + done.stderr
        assert "*****" in done.stdout
    assert "hush" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "modle"], "unknown setting modle: did you mean model?"),
        (["set", "limits.max_tool_cals", "3"], "did you mean max_tool_calls?"),
        (["set", "limits.max_tool_calls", "0"], "limits.max_tool_calls is 0"),
        (["set", "model_providers.x.base_url", "notaurl"], "model_providers.x.base_url 'notaurl' must begin"),
        (["set", "model_providers.x.base_url", "http://me:hush@x"], "base_url contains a user name"),
        (["set", "notify", '["x"]'], "notify has no effect here: no program is run"),
        (["get", "projects./x.hooks"], "has no effect here: there are no hooks"),
        (["unset", "sandbox_mode"], "sandbox_mode is not set in"),
        (["trust"], "this project has no settings"),
        (["get", "model", "-p", "nope"], "profile 'nope' is not in the settings file"),
    ],
)
def test_a_mistake_is_reported_in_one_line_and_changes_nothing(
    workspace: Workspace, file: Path, arguments: list[str], message: str
) -> None:
    before = file.read_text()
    done = workspace.run("config", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert file.read_text() == before


def test_the_schema_is_json_and_contains_every_table(workspace: Workspace) -> None:
    schema = json.loads(workspace.run("config", "schema").stdout)
    assert {"model", "profiles", "projects", "mcp_servers"} <= schema["properties"].keys()


def test_settings_of_a_project_are_shown_and_trusted(workspace: Workspace, file: Path) -> None:
    theirs = workspace.directory / ".code/config.toml"
    theirs.parent.mkdir()
    theirs.write_text('model = "theirs"\n# \u202e hidden\n')
    assert workspace.run("config", "get", "model").stdout == "m\n"
    unasked = workspace.run("config", "trust")
    assert unasked.returncode == 2
    assert "use --yes" in unasked.stderr
    done = workspace.run("config", "trust", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  │ # \\u202e hidden" in done.stdout
    assert str(theirs) in done.stdout
    assert workspace.run("config", "get", "model").stdout == "theirs\n"
    assert f"{theirs}:1 (project)" in workspace.run("config", "explain", "model").stdout
    assert workspace.run("config", "untrust").returncode == 0
    assert workspace.run("config", "get", "model").stdout == "m\n"
    assert file.read_text().startswith("# mine\n")


@pytest.mark.parametrize(
    ("typed", "model"), [(["y"], "theirs\n"), (["maybe", "yes"], "theirs\n"), (["n"], "m\n")]
)
def test_the_user_is_asked_in_a_terminal(
    workspace: Workspace, file: Path, typed: list[str], model: str
) -> None:
    (workspace.directory / ".code").mkdir()
    (workspace.directory / ".code/config.toml").write_text('model = "theirs"\n')
    terminal = Terminal(workspace, "config", "trust")
    for line in typed:
        terminal.until_again("(y yes, n no): ")
        terminal.type(f"{line}\n")
    assert terminal.wait() == 0
    assert workspace.run("config", "get", "model").stdout == model


def test_explain_says_that_nothing_is_set(workspace: Workspace, file: Path) -> None:
    file.unlink()
    done = workspace.run("config", "explain")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing is set: every setting has its default\n"
    assert workspace.run("config", "explain", "--json").stdout == "[]\n"


def test_the_list_of_commands_is_not_cut(workspace: Workspace) -> None:
    assert "..." not in workspace.run("config", "--help").stdout.partition("Commands:")[2]


def test_edits_at_the_same_time_lose_nothing(workspace: Workspace, file: Path) -> None:
    names = [f"s{number}" for number in range(8)]
    running = [workspace.start("mcp", "add", name, "--", "true") for name in names]
    for process in running:
        assert process.wait(60) == 0
        process.communicate()
    listed = json.loads(workspace.run("mcp", "list", "--json").stdout)
    assert sorted(one["name"] for one in listed) == ["s", *names]
