"""Reads the settings file and resolves it, with profile, project and overrides, to a `Config`.

What wins, from the strongest: `ConfigOverrides`, the profile, the project's
table, the file with its `-c` edits, the default.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from code_core.config.check import Source, checked
from code_core.config.guards import NO_GUARDS, CommandGuards, load_guards
from code_core.config.overrides import Setting, merged
from code_core.config.paths import Home, expand_home, find_home, is_directory
from code_core.config.providers import catalog, chosen_provider
from code_core.config.schema import (
    CheckpointsTable,
    ClientToolTable,
    ConfigFile,
    EnvironmentTable,
    KeepTable,
    LimitsTable,
    McpServerTable,
    MessageHistoryTable,
    ProjectTable,
    SessionsTable,
    ValidationTable,
)
from code_core.config.toml_source import parse, read_text
from code_core.context.git import repository_root
from code_core.errors import ConfigError
from code_core.model.capabilities import ModelPreferences, capabilities
from code_core.model.providers import Provider
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    KeyIsolation,
    ReadOnly,
    ReasoningSummary,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.sandbox.writable import redirected_roots
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches

DEFAULT_MODEL = "gpt-5-codex"


@dataclass(frozen=True, slots=True)
class ConfigOverrides:
    """Settings of one run, from options or from a client; None means not given.

    Attributes:
        ephemeral: whether the session is kept in memory alone.
    """

    model: str | None = None
    model_provider: str | None = None
    profile: str | None = None
    cwd: Path | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None
    base_instructions: str | None = None
    replay_scenario: Path | None = None
    settings: tuple[Setting, ...] = ()
    ephemeral: bool | None = None

    @property
    def given(self) -> frozenset[str]:
        """The keys that are given here, spelled as in the settings file."""
        keys = [field.name for field in fields(self) if getattr(self, field.name)]
        return frozenset((*keys, *(key for key, _ in self.settings)))


NO_OVERRIDES = ConfigOverrides()


@dataclass(frozen=True, slots=True)
class Storage:
    """What is kept of sessions, and for how long."""

    sessions: SessionsTable = field(default_factory=SessionsTable)
    checkpoints: CheckpointsTable = field(default_factory=CheckpointsTable)
    outputs: KeepTable = field(default_factory=KeepTable)
    typed: MessageHistoryTable = field(default_factory=MessageHistoryTable)


@dataclass(frozen=True, slots=True)
class Config:
    """Resolved settings of one conversation.

    Attributes:
        warnings: what the user should know about the settings file.
    """

    home: Home
    cwd: Path
    provider: Provider
    model: str
    preferences: ModelPreferences
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    environment: EnvironmentTable = field(default_factory=EnvironmentTable)
    command_guards: CommandGuards = NO_GUARDS
    validation: ValidationSwitches = DEFAULT_SWITCHES
    limits: LimitsTable = field(default_factory=LimitsTable)
    base_instructions: str | None = None
    user_instructions: str | None = None
    project_doc_max_bytes: int = 32_768
    tool_output_token_limit: int = 10_000
    show_raw_reasoning: bool = False
    hide_reasoning: bool = False
    record: Path | None = None
    acp_enabled: Literal["auto"] | bool = "auto"
    key_isolation: KeyIsolation = "auto"
    mcp_servers: Mapping[str, McpServerTable] = field(default_factory=dict)
    permission_tool: ClientToolTable | None = None
    storage: Storage = field(default_factory=Storage)
    warnings: tuple[str, ...] = ()


def load_config(overrides: ConfigOverrides = NO_OVERRIDES, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of a conversation.

    Raises:
        ConfigError: says which file, key or option is wrong, and what would be right.
    """
    home = find_home(environ)
    path = home.config_file
    text = read_text(path)
    source = Source(path, text, overrides.settings)
    settings, warnings = checked(merged(parse(text, path), overrides.settings), source)
    cwd = _working_directory(overrides.cwd)
    profile = _profile(settings, overrides.profile)
    project = _project(settings, cwd)
    chosen = {name: getattr(profile, name) for name in profile.model_fields_set}

    approval = overrides.approval_policy or chosen.get("approval_policy")
    sandbox = overrides.sandbox_mode or chosen.get("sandbox_mode")
    if project is not None:
        approval = approval or project.approval_policy
        sandbox = sandbox or project.sandbox_mode
    approval = approval or settings.approval_policy or AskForApproval.ON_REQUEST
    sandbox = sandbox or settings.sandbox_mode or SandboxMode.READ_ONLY

    # A scenario of this run wins over any provider: whoever gives one wants no request to be sent.
    scenario = overrides.replay_scenario or _path(environ.get("CODE_REPLAY"))
    provider_id = (
        "replay"
        if scenario is not None
        else overrides.model_provider or chosen.get("model_provider") or settings.model_provider
    )
    scenario = scenario or settings.replay_scenario
    provider_id = provider_id or ("replay" if scenario else "openai")
    model = overrides.model or chosen.get("model") or settings.model or DEFAULT_MODEL
    provider = chosen_provider(provider_id, settings, scenario, environ)
    preferences = ModelPreferences(
        model=model,
        effort=chosen.get("model_reasoning_effort") or settings.model_reasoning_effort,
        summary=chosen.get("model_reasoning_summary")
        or settings.model_reasoning_summary
        or ReasoningSummary.AUTO,
        verbosity=chosen.get("model_text_verbosity") or settings.model_text_verbosity,
        reasoning=settings.model_supports_reasoning_summaries,
        context_window=settings.model_context_window,
        catalog=catalog(settings, provider_id),
        provider=provider.traits,
        fallback_window=provider.fallback_window,
    )
    policy = sandbox_policy(sandbox, settings)
    servers = {name: table for name, table in settings.mcp_servers.items() if table.enabled}
    guards = load_guards(settings.confirm_guard, home.path, cwd, path)
    return Config(
        home=home,
        cwd=cwd,
        provider=provider,
        model=model,
        preferences=preferences,
        approval_policy=approval,
        sandbox_policy=policy,
        environment=settings.shell_environment_policy,
        command_guards=guards,
        validation=_validation(settings.validation),
        limits=settings.limits,
        base_instructions=overrides.base_instructions or _instructions_file(chosen, settings, cwd),
        user_instructions=settings.instructions,
        project_doc_max_bytes=settings.project_doc_max_bytes,
        tool_output_token_limit=settings.tool_output_token_limit,
        show_raw_reasoning=settings.show_raw_agent_reasoning,
        hide_reasoning=settings.hide_agent_reasoning,
        acp_enabled=settings.acp.enabled,
        key_isolation=settings.key_isolation,
        mcp_servers=servers,
        permission_tool=_client_tool(settings.experimental_client_tools.request_permission, servers),
        record=_path(environ.get("CODE_RECORD")),
        storage=_storage(settings, ephemeral=bool(overrides.ephemeral)),
        warnings=(
            *warnings,
            *_ineffective(settings, policy, cwd, environ),
            *capabilities(preferences, model, provider.wire_api).warnings,
            *_inline_tokens(servers, path),
            *guards.warnings,
        ),
    )


def configured_servers(environ: Mapping[str, str] = os.environ) -> dict[str, McpServerTable]:
    """The MCP servers of the settings file, disabled ones included.

    Raises:
        ConfigError: the settings file is wrong.
    """
    path = find_home(environ).config_file
    text = read_text(path)
    return checked(parse(text, path), Source(path, text))[0].mcp_servers


def checked_servers(tables: Mapping[str, Any]) -> dict[str, McpServerTable]:
    """MCP servers as the settings file would have them.

    Raises:
        ConfigError: a name or a setting is wrong.
    """
    return checked({"mcp_servers": dict(tables)}, Source("code mcp add"))[0].mcp_servers


def sandbox_policy(mode: SandboxMode, settings: ConfigFile) -> SandboxPolicy:
    """The policy that `mode` names, with the file's settings for it."""
    match mode:
        case SandboxMode.READ_ONLY:
            return ReadOnly()
        case SandboxMode.WORKSPACE_WRITE:
            table = settings.sandbox_workspace_write
            roots = [expand_home(root) for root in table.writable_roots]
            return WorkspaceWrite(**{**table.model_dump(), "writable_roots": roots})
        case SandboxMode.DANGER_FULL_ACCESS:
            return DangerFullAccess()


def _working_directory(given: Path | None) -> Path:
    try:
        cwd = Path.cwd() if given is None else Path.cwd() / given
    except FileNotFoundError as error:
        raise ConfigError("the current directory no longer exists: change to another one") from error
    if not is_directory(cwd):
        raise ConfigError(f"the working directory {str(cwd)!r} is not a directory")
    return Path(os.path.normpath(cwd))


def _profile(settings: ConfigFile, name: str | None) -> ConfigFile | Any:
    name = name or settings.profile
    if name is None:
        return ConfigFile()
    if name not in settings.profiles:
        known = ", ".join(sorted(settings.profiles)) or "none"
        raise ConfigError(f"profile {name!r} is not in the settings file (profiles there: {known})")
    return settings.profiles[name]


def _project(settings: ConfigFile, cwd: Path) -> ProjectTable | None:
    """The table of the working directory, else of the repository it is in, however the path is spelled."""
    tables = {os.path.realpath(expand_home(name)): table for name, table in settings.projects.items()}
    wanted = [cwd, *([root] if (root := repository_root(cwd)) else [])]
    return next((table for path in wanted if (table := tables.get(os.path.realpath(path)))), None)


def _ineffective(
    settings: ConfigFile, policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]
) -> Iterator[str]:
    """Warnings about paths in the settings that have no effect."""
    for name in settings.projects:
        if not expand_home(name).is_absolute():
            yield f"projects.{name!r} has no effect: write an absolute path"
    for root in policy.writable_roots if isinstance(policy, WorkspaceWrite) else ():
        if not is_directory(cwd / root):
            yield f"sandbox_workspace_write.writable_roots: {str(root)!r} is not a directory and has no effect"
    for root in redirected_roots(policy, cwd, environ):
        yield (
            f"{str(root)!r} is not writable: a link in a writable directory leads to it, "
            f"and commands could change that; name the directory itself"
        )


def _client_tool(
    table: ClientToolTable | None, servers: Mapping[str, McpServerTable]
) -> ClientToolTable | None:
    if table is not None and table.mcp_server not in servers:
        known = ", ".join(sorted(servers)) or "none"
        raise ConfigError(
            f"experimental_client_tools names the MCP server {table.mcp_server!r}, which is not configured (configured: {known})"
        )
    return table


def _storage(settings: ConfigFile, *, ephemeral: bool) -> Storage:
    sessions, typed = settings.sessions, settings.history
    if ephemeral:
        sessions = sessions.model_copy(update={"save": False})
        typed = typed.model_copy(update={"persistence": "none"})
    return Storage(sessions, settings.checkpoints, settings.outputs, typed)


def _validation(table: ValidationTable) -> ValidationSwitches:
    allowed = None if table.tools_allowlist is None else frozenset(table.tools_allowlist)
    return ValidationSwitches(table.groups, table.tools, allowed, table.timeout_seconds)


def _instructions_file(chosen: Mapping[str, Any], settings: ConfigFile, cwd: Path) -> str | None:
    path = chosen.get("experimental_instructions_file") or settings.experimental_instructions_file
    if path is None:
        return None
    try:
        return (cwd / path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the path
        raise ConfigError(f"experimental_instructions_file {str(path)!r} cannot be read: {error}") from error


def _path(value: str | None) -> Path | None:
    return Path(value).absolute() if value else None


def _inline_tokens(servers: Mapping[str, McpServerTable], path: Path) -> list[str]:
    return [
        f"{path}: mcp_servers.{name}.bearer_token is a token in the settings file: put it in an environment "
        "variable, and name that in bearer_token_env_var"
        for name, table in servers.items()
        if table.bearer_token is not None
    ]
