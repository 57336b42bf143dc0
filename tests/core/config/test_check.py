from pathlib import Path

import pytest

from code_core.config.load import NO_OVERRIDES, Config, ConfigOverrides, load_config
from code_core.config.overrides import key_path, parse_setting
from code_core.config.toml_source import KeyPath, line_of
from code_core.errors import ConfigError
from code_core.protocol.policies import WorkspaceWrite
from code_core.protocol.validation import ValidationTool


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def load(home: Path, text: str, overrides: ConfigOverrides = NO_OVERRIDES) -> Config:
    (home / "config.toml").write_text(text)
    return load_config(overrides, {"CODE_HOME": str(home)})


TEXT = '''\
model = "m"  # a comment = "not a key"

[a]
list = [
  1,
  2,
]
text = """
[not.a.table]
list = 3
"""
dotted.key = 1
[[a.items]]
x = 1
[[a.items]]
x = 2
["quoted.name"."]"]
y = { z = [1, { deep = 2 }] }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("model",), 1),
        (("a",), 3),
        (("a", "list"), 4),
        (("a", "list", 1), 4),
        (("a", "text"), 8),
        (("a", "dotted", "key"), 12),
        (("a", "items", 0, "x"), 14),
        (("a", "items", 1, "x"), 16),
        (("a", "items", 1, "absent"), 15),
        (("quoted.name", "]", "y", "z", 1, "deep"), 18),
        (("absent",), None),
        (("a", "absent"), 3),
    ],
)
def test_the_line_of_a_key_is_found(path: KeyPath, line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_invalid_toml_has_no_lines() -> None:
    assert line_of("[a\n" * 5_000, ("a",)) is None


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "[limits]\nmax_tool_cals = 3",
            ":2: unknown setting limits.max_tool_cals: did you mean max_tool_calls?",
        ),
        (
            "[mcp_servers.x]\ncommand='y'\nargz=[]",
            ":3: unknown setting mcp_servers.x.argz: did you mean args?",
        ),
        ("[profiles.p]\nmodle='y'", ":2: unknown setting profiles.p.modle: did you mean model?"),
        (
            "[[confirm_guard.patterns]]\nregex='x'\nmesage=''",
            ":3: unknown setting confirm_guard.patterns[0].mesage",
        ),
        (
            "experimental_client_tools.request_permission={mcpServer='x', tool_name='t', mcp_sever=1}\nmcp_servers.x.command='y'",
            ":1: unknown setting experimental_client_tools.request_permission.mcp_sever: did you mean mcp_server?",
        ),
        (
            "model_reasoning_effort = 'galactic'",
            ":1: model_reasoning_effort is 'galactic': it must be 'none', ",
        ),
        ("[validation.tools]\nnewcheck = true", ":2: validation.tools.newcheck"),
        (
            "[projects.relative]\nsandbox_mode='read-only'",
            "projects.'relative' has no effect: write an absolute path",
        ),
    ],
)
def test_settings_without_effect_are_a_warning(home: Path, text: str, warning: str) -> None:
    (found,) = load(home, text).warnings
    assert warning in found


def test_a_writable_directory_behind_a_link_that_commands_could_change_is_a_warning(home: Path) -> None:
    (home.parent / "work").mkdir()
    (home.parent / "work/link").symlink_to(home)
    text = "sandbox_mode='workspace-write'\nsandbox_workspace_write={writable_roots=['link'], exclude_slash_tmp=true}"
    (found,) = load(home, text, ConfigOverrides(cwd=home.parent / "work")).warnings
    assert found.startswith(
        f"{str(home.parent / 'work/link')!r} is not writable: a link in a writable directory"
    )


def test_a_mistyped_option_is_a_warning_that_names_the_option(home: Path) -> None:
    (found,) = load(home, "", ConfigOverrides(settings=(("limits.max_tool_cals", 3),))).warnings
    assert found == "-c: unknown setting limits.max_tool_cals: did you mean max_tool_calls?"


@pytest.mark.parametrize(
    ("key", "value", "source"),
    [("limits", {"max_tool_calls": "many"}, "-c limits"), ("limits.max_tool_calls", "many", "-c")],
)
def test_an_invalid_value_names_its_option(home: Path, key: str, value: object, source: str) -> None:
    expected = rf"^{source}: limits.max_tool_calls is 'many': it must be a whole number"
    with pytest.raises(ConfigError, match=expected):
        load(home, "[limits]\nmax_tool_calls = 3", ConfigOverrides(settings=((key, value),)))


@pytest.mark.parametrize("text", ["env = 'sekrit'", "env = { A = ['sekrit'] }", "http_headers = 'sekrit'"])
def test_an_invalid_value_that_may_be_a_secret_is_not_shown(home: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, f"[mcp_servers.x]\ncommand = 'y'\n{text}")
    assert "mcp_servers.x" in str(caught.value)
    assert "sekrit" not in str(caught.value)


def test_files_of_newer_versions_load(home: Path) -> None:
    text = """\
model_reasoning_effort = "xhigh"
[mcp_servers.a]
command = "x"
env = { PORT = 3000, RATIO = 0.5, DEBUG = true }
startup_timeout_ms = 5000
[mcp_servers.off]
enabled = false
"""
    config = load(home, text)
    assert config.warnings == ()
    assert config.preferences.effort == "xhigh"
    assert config.mcp_servers["a"].env == {"PORT": "3000", "RATIO": "0.5", "DEBUG": "true"}
    assert list(config.mcp_servers) == ["a"]
    assert load(home, 'model_reasoning_effort = "none"').preferences.effort == "none"


def test_values_of_codex_2026_are_accepted_or_reported(home: Path) -> None:
    text = """\
approval_policy = { granular = { rules = true } }
[tools]
web_search = { context_size = "high" }
[history]
max_bytes = 1024
[mcp_servers.a]
command = "x"
env_vars = ["HOME", { name = "TOKEN", source = "remote" }]
"""
    config = load(home, text)
    assert [warning.partition("config.toml")[2] for warning in config.warnings] == [
        ":1: approval_policy: it must be 'untrusted', 'on-failure', 'on-request' or 'never' (left out)",
        ":3: tools.web_search: it must be true or false (left out)",
        ":5: history.max_bytes is 1024: it must be greater than or equal to 4096 (left out)",
    ]
    assert config.approval_policy == "on-request"
    assert config.mcp_servers["a"].env_vars == ["HOME", "TOKEN"]


def test_each_unknown_check_in_a_list_is_left_out_with_a_warning(home: Path) -> None:
    config = load(home, "[validation]\ntools_allowlist = ['new', 'json', 'newer']")
    assert config.validation.allowed == frozenset[ValidationTool](("json",))
    assert [warning.partition(": ")[2][:32] for warning in config.warnings] == [
        "validation.tools_allowlist[0] is",
        "validation.tools_allowlist[2] is",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("startup_timeout_ms = 5000", 5.0),
        ("startup_timeout_ms = 2500.5", 2.5005),
        ("startup_timeout_ms = 5000\nstartup_timeout_sec = 7", 7.0),
        ("", 10.0),
    ],
)
def test_a_start_up_timeout_in_milliseconds(home: Path, text: str, seconds: float) -> None:
    assert load(home, f"[mcp_servers.a]\ncommand = 'x'\n{text}").mcp_servers["a"].startup_timeout == seconds


def test_an_enabled_server_without_a_command_is_rejected(home: Path) -> None:
    with pytest.raises(ConfigError, match=r":1: mcp_servers\.a: set command or url$"):
        load(home, "[mcp_servers.a]\nargs = []")
    expected = r"set command or url \(unknown setting comand: did you mean command\?\)$"
    with pytest.raises(ConfigError, match=expected):
        load(home, "modell = 1\n[mcp_servers.a]\ncomand = 'x'")


def test_an_unquoted_string_is_reported_with_a_hint(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"Invalid value \(at line 1, column 9\): strings need quotes$"):
        load(home, "model = gpt-5")


def test_a_boolean_is_shown_as_toml_spells_it(home: Path) -> None:
    with pytest.raises(ConfigError, match="approval_policy is true: it must be"):
        load(home, "approval_policy = true")


def test_a_tilde_in_a_path_is_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (home / "out").mkdir()
    text = (
        'sandbox_mode = "workspace-write"\n[sandbox_workspace_write]\nwritable_roots = ["~/out", "~/absent"]'
    )
    config = load(home, text)
    assert isinstance(config.sandbox_policy, WorkspaceWrite)
    assert config.sandbox_policy.writable_roots == [home / "out", home / "absent"]
    (warning,) = config.warnings
    assert f"'{home}/absent' is not a directory" in warning


@pytest.mark.parametrize("spelling", ["{real}", "{real}/", "{real}/./", "{link}", "{real}/../project"])
def test_a_project_is_found_for_any_spelling_of_its_path(tmp_path: Path, home: Path, spelling: str) -> None:
    real, link = tmp_path / "project", tmp_path / "link"
    (real / ".git").mkdir(parents=True)
    (real / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (real / ".git" / "objects").mkdir()
    (real / ".git" / "refs").mkdir()
    (real / "below").mkdir()
    link.symlink_to(real)
    text = f'[projects."{spelling.format(real=real, link=link)}"]\nsandbox_mode = "workspace-write"'
    for cwd in (real, real / "below", link):
        assert load(home, text, ConfigOverrides(cwd=cwd)).sandbox_policy.mode == "workspace-write", cwd
    assert load(home, text, ConfigOverrides(cwd=tmp_path)).sandbox_policy.mode == "read-only"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ('projects."/a.b".sandbox_mode', ("projects", "/a.b", "sandbox_mode")),
        ('"model"', ("model",)),
        ('"a"."b"', ("a", "b")),
        ("'a.b'.c", ("a.b", "c")),
        ("a . b", ("a", "b")),
        ("projects./tmp/x.sandbox_mode", ("projects", "/tmp/x", "sandbox_mode")),
    ],
)
def test_the_parts_of_a_key_may_be_quoted(key: str, path: tuple[str, ...]) -> None:
    assert key_path(key) == path
    assert parse_setting(f"{key}=1=2") == (key, "1=2")


@pytest.mark.parametrize("key", ["a..b", "", ".a", "a.", " . "])
def test_an_empty_part_of_a_key_is_a_mistake(key: str) -> None:
    with pytest.raises(ConfigError, match="is not a key: separate its parts with single dots"):
        key_path(key)


def test_a_quoted_part_may_hold_an_equals_sign() -> None:
    assert parse_setting('a."b=c".d="e=f"') == ('a."b=c".d', "e=f")
