"""Every key of Codex and just-every/code loads, or is named as one without effect, with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from code_core.config.explain import explain, known_path
from code_core.config.load import ConfigOverrides, load_config, read_settings
from code_core.config.overrides import key_path
from code_core.errors import ConfigError

# The keys of both programs in October 2025, with a value each.
KEYS: dict[str, Any] = {
    "model": "gpt-5",
    "review_model": "gpt-5",
    "model_provider": "mine",
    "model_context_window": 100_000,
    "model_max_output_tokens": 1_000,
    "model_auto_compact_token_limit": 90_000,
    "model_reasoning_effort": "high",
    "model_reasoning_summary": "detailed",
    "model_text_verbosity": "low",
    "model_verbosity": "low",
    "model_supports_reasoning_summaries": True,
    "chatgpt_base_url": "https://chatgpt.com",
    "preferred_auth_method": "apikey",
    "disable_response_storage": True,
    "hide_agent_reasoning": True,
    "show_raw_agent_reasoning": True,
    "use_experimental_reasoning_summary": True,
    "responses_originator_header_internal_override": "x",
    "model_providers.mine.name": "Mine",
    "model_providers.mine.base_url": "http://127.0.0.1:1/v1",
    "model_providers.mine.env_key": "MINE",
    "model_providers.mine.env_key_instructions": "ask for one",
    "model_providers.mine.wire_api": "chat",
    "model_providers.mine.query_params": {"version": "1"},
    "model_providers.mine.http_headers": {"X-Team": "blue"},
    "model_providers.mine.env_http_headers": {"X-Team": "TEAM"},
    "model_providers.mine.request_max_retries": 1,
    "model_providers.mine.stream_max_retries": 1,
    "model_providers.mine.stream_idle_timeout_ms": 1_000,
    "model_providers.mine.requires_openai_auth": False,
    "model_providers.mine.openrouter": {"provider": {"sort": "price"}},
    "approval_policy": "never",
    "sandbox_mode": "workspace-write",
    "sandbox_workspace_write.writable_roots": ["/tmp"],
    "sandbox_workspace_write.network_access": True,
    "sandbox_workspace_write.exclude_tmpdir_env_var": True,
    "sandbox_workspace_write.exclude_slash_tmp": True,
    "sandbox_workspace_write.allow_git_writes": False,
    "shell_environment_policy.inherit": "core",
    "shell_environment_policy.ignore_default_excludes": True,
    "shell_environment_policy.exclude": ["A*"],
    "shell_environment_policy.set": {"A": "b"},
    "shell_environment_policy.include_only": ["A"],
    "shell_environment_policy.experimental_use_profile": True,
    "confirm_guard.patterns": [{"regex": "x", "message": "y"}],
    "mcp_servers.local.command": "true",
    "mcp_servers.local.args": ["x"],
    "mcp_servers.local.env": {"A": "b"},
    "mcp_servers.local.startup_timeout_sec": 5,
    "mcp_servers.local.startup_timeout_ms": 5_000,
    "mcp_servers.local.tool_timeout_sec": 5,
    "mcp_servers.far.url": "http://127.0.0.1:1/mcp",
    "mcp_servers.far.bearer_token": "x",
    "mcp_servers_disabled": ["local"],
    "experimental_client_tools.requestPermission": {"mcpServer": "local", "toolName": "ask"},
    "experimental_client_tools.readTextFile": {"mcpServer": "local", "toolName": "read"},
    "experimental_client_tools.writeTextFile": {"mcp_server": "local", "tool_name": "write"},
    "experimental_use_rmcp_client": True,
    "experimental_use_exec_command_tool": True,
    "tools.web_search": True,
    "tools.web_search_request": True,
    "tools.web_search_allowed_domains": ["example.com"],
    "tools.view_image": True,
    "agents": [{"name": "x"}],
    "subagents.commands": [{"name": "x"}],
    "validation.tools_allowlist": ["json"],
    "validation.timeout_seconds": 7,
    "validation.groups": {"functional": True, "stylistic": True},
    "validation.tools": {"json": True},
    "github.check_workflows_on_push": True,
    "github.actionlint_on_patch": True,
    "github.actionlint_path": "x",
    "github.actionlint_strict": True,
    "instructions": "be good",
    "experimental_instructions_file": "/dev/null",
    "project_doc_max_bytes": 10,
    "project_doc_fallback_filenames": ["CLAUDE.md"],
    "profile": "p",
    "profiles.p.model": "gpt-5",
    "profiles.p.model_provider": "mine",
    "profiles.p.approval_policy": "never",
    "profiles.p.disable_response_storage": True,
    "profiles.p.model_reasoning_effort": "high",
    "profiles.p.model_reasoning_summary": "auto",
    "profiles.p.model_text_verbosity": "low",
    "profiles.p.chatgpt_base_url": "https://chatgpt.com",
    "profiles.p.experimental_instructions_file": "/dev/null",
    "history.persistence": "none",
    "history.max_bytes": 10_000,
    "notify": ["true"],
    "experimental_resume": "/x",
    'projects."/x".trust_level': "trusted",
    'projects."/x".approval_policy': "never",
    'projects."/x".sandbox_mode': "read-only",
    'projects."/x".always_allow_commands': [{"argv": ["ls"], "match_kind": "exact"}],
    'projects."/x".hooks': [{"event": "session.start", "run": ["true"]}],
    'projects."/x".commands': [{"name": "x", "run": ["true"]}],
    "otel.exporter": "none",
    "tui.theme": "dark",
    "file_opener": "vscode",
    "browser.enabled": True,
    "auto_drive.enabled": True,
    "auto_upgrade_enabled": True,
    "disable_paste_burst": True,
}
# What some keys do not stand without.
AROUND = (
    "model_providers.mine.base_url",
    "mcp_servers.local.command",
    "mcp_servers.far.url",
    "profiles.p.model",
)
# Those whose value is shown in other words.
IN_OTHER_WORDS = ("experimental_client_tools", "mcp_servers.local.startup_timeout", "confirm_guard")
MASKED = ("bearer_token", "env", "query_params", "http_headers", "shell_environment_policy.set")


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("key", KEYS)
def test_a_foreign_key_loads_or_is_reported_with_a_reason(tmp_path: Path, key: str) -> None:
    (tmp_path / "config.toml").write_text(f"{key} = {toml(KEYS[key])}")
    environ = {"CODE_HOME": str(tmp_path)}
    overrides = ConfigOverrides(settings=tuple((name, KEYS[name]) for name in AROUND))
    warnings = load_config(overrides, environ).warnings
    assert [one for one in warnings if "is a token in the settings" not in one] == []
    layers = read_settings(overrides, environ).layers
    try:
        explanation = explain(layers, key_path(key))
    except ConfigError as error:
        assert "has no effect here: " in str(error)
        return
    assert explanation.found
    if not key.startswith(IN_OTHER_WORDS) and not key.endswith(MASKED):
        assert explanation.value == KEYS[key]


@pytest.mark.parametrize("key", ["notify.x", "profiles.p.notify", 'projects."/x".hooks', "browser.a.b"])
def test_keys_in_a_table_without_effect_have_no_effect(key: str) -> None:
    with pytest.raises(ConfigError, match="has no effect here: "):
        known_path(key_path(key))
