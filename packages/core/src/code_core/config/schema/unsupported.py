"""Keys of Codex and of the fork that have no effect here, each with the reason.

They are accepted so that files shared with other programs load unchanged.
"""

from collections.abc import Mapping, Sequence

_SCREEN = "there is no full-screen interface"
_UPDATES = "updates come from the installer that you used"

UNSUPPORTED: Mapping[str, str] = {
    "agents": "other agents are not started",
    "auto_drive": _SCREEN,
    "auto_upgrade_enabled": _UPDATES,
    "browser": "there is no browser tool",
    "chatgpt_base_url": "there is no login with ChatGPT",
    "check_for_update_on_startup": _UPDATES,
    "debug": "use `CODE_LOG=debug`",
    "disable_paste_burst": _SCREEN,
    "disable_response_storage": "responses are stored only if the provider requires it",
    "experimental_resume": "use `code resume`",
    "experimental_use_exec_command_tool": "`exec_command` is always offered",
    "experimental_use_rmcp_client": "there is only one MCP client",
    "features": "there are no feature switches",
    "file_opener": _SCREEN,
    "forced_login_method": "only API keys are supported (`code login`)",
    "github": "workflow runs are not watched; `validation` checks patches to workflows",
    "mcp_servers_disabled": "set `enabled = false` in a server's table",
    "model_auto_compact_token_limit": "compaction starts at 85 % of the context window",
    "model_max_output_tokens": "the provider's limit applies",
    "notice": _SCREEN,
    "notify": "no program is run; `code exec --json` and the library report every event",
    "otel": "nothing is sent to a collector",
    "preferred_auth_method": "only API keys are supported (`code login`)",
    "project_doc_fallback_filenames": "only AGENTS.md is read",
    "responses_originator_header_internal_override": "the header names this program",
    "review_model": "a review uses the session's model",
    "subagents": "other agents are not started",
    "tui": _SCREEN,
    "use_experimental_reasoning_summary": "`model_reasoning_summary` controls summaries",
    "windows_wsl_setup_acknowledged": "Windows is not supported",
    "model_providers.*.openrouter": "set `extra_body` of a model",
    "projects.*.always_allow_commands": "use a rule",
    "projects.*.commands": "projects cannot define commands",
    "projects.*.hooks": "there are no hooks",
    "shell_environment_policy.experimental_use_profile": "commands of `exec_command` run in a login shell",
}


def reason_at(path: Sequence[str | int]) -> str | None:
    """Return why the key at `path` has no effect, or None if it has one; so with everything in such a table."""
    own = path[2:] if path[0] == "profiles" else path
    for key, reason in UNSUPPORTED.items():
        parts = key.split(".")
        if len(own) >= len(parts) and all(
            part in {"*", mine} for part, mine in zip(parts, own, strict=False)
        ):
            return reason
    return None


def unsupported_at(prefix: str) -> frozenset[str]:
    """Return the keys of `UNSUPPORTED` directly below `prefix`, which is empty or ends with a dot."""
    inside = (key.removeprefix(prefix) for key in UNSUPPORTED if key.startswith(prefix))
    return frozenset(key for key in inside if "." not in key)
