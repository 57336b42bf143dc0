from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.config.load import NO_OVERRIDES, ConfigOverrides, load_config
from code_core.config.overrides import parse_setting
from code_core.config.paths import find_home
from code_core.errors import ConfigError
from code_core.model.capabilities import capabilities
from code_core.model.providers import Provider
from code_core.protocol.policies import AskForApproval, SandboxMode, WorkspaceWrite


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def load(home: Path, text: str, overrides: ConfigOverrides = NO_OVERRIDES, **environ: str) -> Any:
    (home / "config.toml").write_text(text)
    return load_config(overrides, {"CODE_HOME": str(home), **environ})


def test_without_a_file_the_defaults_apply(home: Path) -> None:
    config = load_config(NO_OVERRIDES, {"CODE_HOME": str(home)})
    assert (config.model, config.provider.id) == ("gpt-5-codex", "openai")
    assert (config.approval_policy, config.sandbox_policy.mode) == (AskForApproval.ON_REQUEST, "read-only")
    assert capabilities(config.preferences, config.model).settings.reasoning
    assert capabilities(config.preferences, config.model).context_window == 272_000


def test_recording_a_replay_is_a_warning(home: Path) -> None:
    scenario, recording = str(home / "in.jsonl"), str(home / "out.jsonl")
    warning = "CODE_RECORD has no effect: a replayed scenario is not recorded"
    assert load(home, "", CODE_REPLAY=scenario, CODE_RECORD=recording).warnings == (warning,)
    text = f"model_provider = 'replay'\nreplay_scenario = '{scenario}'"
    assert load(home, text, CODE_RECORD=recording).warnings == (warning,)
    assert load(home, "", CODE_RECORD=recording).warnings == ()
    assert load(home, "", CODE_REPLAY=scenario).warnings == ()


def test_precedence_of_the_layers(home: Path) -> None:
    text = (
        f'approval_policy = "untrusted"\nmodel = "file"\n[profiles.p]\nmodel = "profile"\n'
        f'[projects."{Path.cwd()}"]\napproval_policy = "on-failure"\nsandbox_mode = "workspace-write"\n'
    )
    project = load(home, text)
    assert (project.approval_policy, project.sandbox_policy) == (AskForApproval.ON_FAILURE, WorkspaceWrite())
    assert project.model == "file"
    assert load(home, text, ConfigOverrides(settings=(("model", "edit"),))).model == "edit"
    assert load(home, text, ConfigOverrides(profile="p")).model == "profile"
    assert load(home, text, ConfigOverrides(profile="p", settings=(("model", "edit"),))).model == "edit"
    option_and_edit = ConfigOverrides(profile="p", model="option", settings=(("model", "edit"),))
    assert load(home, text, option_and_edit).model == "option"
    assert load(home, text, replace(option_and_edit, client=(("model", "client"),))).model == "client"
    option = ConfigOverrides(approval_policy=AskForApproval.NEVER, sandbox_mode=SandboxMode.READ_ONLY)
    assert load(home, text, option).approval_policy is AskForApproval.NEVER
    assert load(home, text, option).sandbox_policy.mode == "read-only"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('mcp_tools_share = "x"', "mcp_tools_share is 'x': it must be a number"),
        ('tool_output_token_limit = "abc"', "tool_output_token_limit is 'abc': it must be a whole number"),
        ("tool_output_token_limit = 200.5", "tool_output_token_limit is 200.5: it must be a whole number"),
        ('hide_agent_reasoning = "perhaps"', "hide_agent_reasoning is 'perhaps': it must be true or false"),
        ("limits = 3", "limits is 3: it must be a table"),
        ("model = 5", "config.toml:1: model is 5: it must be a string"),
        ('sandbox_mode = "open"', "sandbox_mode is 'open'"),
        ("[limits]\nmax_tool_calls = 0", "config.toml:2: limits.max_tool_calls is 0"),
        ("model = ", "is not TOML"),
        ('model_provider = "nope"', "config.toml:1: model provider 'nope' is not known"),
        ('model_provider = "replay"', "needs a scenario"),
        ('profile = "nope"', "config.toml:1: profile 'nope' is not in the settings file"),
        (
            'model_provider = "x"\n[model_providers.x]\nbase_url = "ftp://x"',
            "config.toml:3: model provider 'x': base_url 'ftp://x' must begin with http",
        ),
        (
            'model_provider = "x"\n[model_providers.x]\nbase_url = "http://x"\nwire_api = "grpc"',
            "model_providers.x.wire_api is 'grpc'",
        ),
        ('model_provider = "x"\n[model_providers.x]\nname = "X"', "'x' has no address: set base_url"),
        ('model_provider = "azure"', "set base_url or AZURE_OPENAI_ENDPOINT"),
        ("[models.m]\nextra_body = { messages = [] }", "extra_body cannot contain messages"),
        ("[models.m.prices]\ninput = 1", "models.m.prices.output"),
        ("[models.m.chat]\nsystem_role = 'god'", "models.m.chat.system_role is 'god'"),
        (
            'experimental_instructions_file = "absent"',
            "config.toml:1: experimental_instructions_file 'absent' cannot be read: No such file or directory",
        ),
        (
            "[experimental_client_tools]\nread_text_file = { mcp_server = 'x', tool_name = 'y' }",
            "config.toml:2: experimental_client_tools.read_text_file.mcp_server names the MCP server 'x', which is not",
        ),
        (
            "limits.max_tool_calls = true",
            "config.toml:1: limits.max_tool_calls is true: it must be a whole number",
        ),
        (
            "[mcp_servers.x]\ncommand = 'y'\ntool_timeout_sec = true",
            ":3: mcp_servers.x.tool_timeout_sec is true",
        ),
        (
            "[mcp_servers.x]\ncommand = 'y'\nstartup_timeout_ms = 'x'",
            ":3: mcp_servers.x.startup_timeout_ms is 'x'",
        ),
    ],
)
def test_an_invalid_setting_is_reported_with_its_location(home: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_reported(home: Path) -> None:
    (home / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(NO_OVERRIDES, {"CODE_HOME": str(home)})


def test_an_unknown_key_is_a_warning_with_the_nearest_one(home: Path) -> None:
    config = load(home, "aproval_policy = 'never'\n[tui]\ntheme = 'dark'\n[mcp_servers.x]\ncommand = 'y'")
    assert config.warnings == (
        f"{home}/config.toml:1: unknown setting aproval_policy: did you mean approval_policy?",
    )


def test_a_custom_provider(home: Path) -> None:
    text = (
        'model_provider = "mine"\n[model_providers.mine]\nbase_url = "https://x.azure.com/v1"\nenv_key = "MINE"\n'
        'query_params = { v = "1" }\nstream_idle_timeout_ms = 5000\nrequest_max_retries = 0\n'
    )
    provider = load(home, text).provider
    assert (provider.name, provider.query_params, provider.stream_idle_timeout) == ("mine", {"v": "1"}, 5.0)
    assert provider.stores_responses
    assert not provider.is_loopback
    assert provider.api_key({b"MINE": b" key \n"}) == b"key"
    with pytest.raises(ConfigError, match="set the environment variable MINE"):
        provider.api_key({})
    with pytest.raises(ConfigError, match="control characters"):
        provider.api_key({b"MINE": b"a\nb"})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "must begin with http:// or https:// and a host"),
        ("ftp://x", "must begin with"),
        ("http://", "and a host"),
        ("http:///v1", "and a host"),
        ("http://[x", "is not a URL"),
        ("http://x:99999", "host and port"),
        ("http://x:0", "must begin with"),
        ("http://user:secret@x/v1", "contains a user name: set it as a header"),
        ("http://user:secret/x@y", "host and port"),
        ("http://x/v1?key=secret", "put it in query_params"),
        ("http://x/v1#a", "put it in query_params"),
        ("http://a b", "spaces or control characters"),
        ("http://x/\x1b[31m", "control characters"),
        ("http://x/\udcff", "control characters"),
    ],
)
def test_an_invalid_url_is_reported_without_its_secrets(home: Path, url: str, message: str) -> None:
    for settings in ("", 'model_provider = "x"'):
        overrides = ConfigOverrides(settings=(("model_providers.x.base_url", url),))
        with pytest.raises(ConfigError) as caught:
            load(home, settings, overrides, OPENAI_BASE_URL=url)
        assert message in str(caught.value)
        assert str(caught.value).isprintable()
        assert "secret" not in str(caught.value)


def test_the_headers_of_a_provider() -> None:
    provider = Provider("p", "P", "", http_headers={"X-A": " é "}, env_http_headers={"X-B": "B", "X-C": "C"})
    assert provider.headers({b"B": b" \xff\n"}) == {b"x-a": "é".encode(), b"x-b": b"\xff"}
    for bad in (
        Provider("p", "P", "", http_headers={"X-A": "sec\nret"}),
        Provider("p", "P", "", env_http_headers={"X-A": "B"}),
        Provider("p", "P", "", http_headers={"X A": "secret"}),
        Provider("p", "P", "", http_headers={"X-Ä": "secret"}),
    ):
        with pytest.raises(ConfigError) as caught:
            bad.headers({b"B": b"sec\0ret"})
        assert "ret" not in str(caught.value)


def test_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_home({}).path == tmp_path / ".code"
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").touch()
    assert find_home({}).config_file == tmp_path / ".codex" / "config.toml"
    (tmp_path / ".code").mkdir()
    (tmp_path / ".code" / "config.toml").touch()
    assert find_home({}).config_file == tmp_path / ".code" / "config.toml"
    assert find_home({"CODEX_HOME": str(tmp_path)}).path == tmp_path
    with pytest.raises(ConfigError, match="CODE_HOME is '/no/such'"):
        find_home({"CODE_HOME": "/no/such", "CODEX_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("model=gpt-5", ("model", "gpt-5")),
        ("a.b=true", ("a.b", True)),
        ("a=[1, 2]", ("a", [1, 2])),
        ("a={b=1}", ("a", {"b": 1})),
        ('a="x=y"', ("a", "x=y")),
        ("a=", ("a", "")),
        ("a=1\nb=2", ("a", "1\nb=2")),
    ],
)
def test_a_setting_is_toml_or_a_string(text: str, setting: tuple[str, Any]) -> None:
    assert parse_setting(text) == setting


@given(st.text())
def test_any_text_is_either_a_setting_or_a_config_error(text: str) -> None:
    try:
        assert parse_setting(text)[0] in text
    except ConfigError as error:
        assert "key=value" in str(error)


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ('command = "x"\nurl = "http://x"', ["command", "url"]),
        ('command = "x"\nbearer_token_env_var = "T"', ["command", "bearer_token_env_var"]),
        ('command = "x"\nbearer_token = "hush"', ["command", "bearer_token"]),
        ('command = "x"\nhttp_headers = {A = "b"}', ["command", "http_headers"]),
        ('url = "http://x"\nargs = []', ["url", "args"]),
        ('url = "http://x"\nenv = {A = "b"}', ["url", "env"]),
        ('url = "http://x"\ncwd = "/"', ["url", "cwd"]),
        ('url = "http://x"\nsandbox = true', ["url", "sandbox"]),
        ('enabled = false\ncommand = "x"\nurl = "http://x"', ["command", "url"]),
    ],
)
def test_a_server_with_keys_of_both_transports_is_an_error_that_names_them(
    home: Path, settings: str, keys: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, f"[mcp_servers.s]\n{settings}\n")
    assert "mcp_servers.s" in str(caught.value)
    assert all(key in str(caught.value) for key in keys)
    assert "hush" not in str(caught.value)


def test_a_disabled_server_needs_no_transport(home: Path) -> None:
    assert load(home, "[mcp_servers.s]\nenabled = false\n").mcp_servers == {}


def test_an_inline_token_is_a_warning_that_does_not_show_it(home: Path) -> None:
    config = load(home, '[mcp_servers.s]\nurl = "http://x"\nbearer_token = "hush"\n')
    assert config.mcp_servers["s"].bearer_token.get_secret_value() == "hush"
    [warning] = config.warnings
    assert "mcp_servers.s.bearer_token" in warning
    assert "hush" not in warning + repr(config)


@pytest.mark.parametrize("setting", ["bearer_token = 123456", "http_headers = {A = [123456]}"])
def test_a_secret_of_the_wrong_type_is_not_shown(home: Path, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, f'[mcp_servers.s]\nurl = "http://x"\n{setting}\n')
    assert "123456" not in str(caught.value)
