"""Resolves the settings of all layers to the `Config` of a conversation."""

import os
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any, Literal

from code_core.config.advice import inline_tokens, paths_without_effect, recording_without_effect
from code_core.config.check import checked, mistakes_in
from code_core.config.guards import NO_GUARDS, CommandGuards, load_guards
from code_core.config.overrides import Setting
from code_core.config.paths import Home, expand_home, find_home, is_directory
from code_core.config.providers import catalog, chosen_provider
from code_core.config.references import client_tool, instructions_file
from code_core.config.schema.commands import EnvironmentTable, LimitsTable, ToolsTable, ValidationTable
from code_core.config.schema.file import ConfigFile
from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.config.schema.storage import Storage
from code_core.config.sources import Run, Sources, file_layers, read_sources
from code_core.context.git import find_checkout
from code_core.errors import ConfigError
from code_core.files.checkout import Checkout, own_ids
from code_core.frozen import frozen
from code_core.model.capabilities import ModelPreferences, capabilities
from code_core.model.providers import Provider
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    DangerFullAccess,
    KeyIsolation,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches

DEFAULT_MODEL = "gpt-5-codex"
_OPTIONS = ("model", "model_provider", "approval_policy", "sandbox_mode")


@frozen
class ConfigOverrides:
    """Settings for one run, from options or a client; None means not given.

    Attributes:
        settings: `-c` options.
        client: settings from a client by dotted key; these take precedence over everything else.
        ephemeral: whether the session is kept only in memory.
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
    client: tuple[Setting, ...] = ()
    ephemeral: bool | None = None

    @property
    def given(self) -> frozenset[str]:
        """The keys that are set, spelled as in the settings file."""
        keys = [field.name for field in fields(self) if getattr(self, field.name)]
        return frozenset((*keys, *(key for key, _ in (*self.settings, *self.client))))

    @property
    def run(self) -> Run:
        """The layers for these overrides."""
        options = {name: value for name in _OPTIONS if (value := getattr(self, name)) is not None}
        return Run(self.profile, self.settings, options, self.client, self.replay_scenario)


NO_OVERRIDES = ConfigOverrides()


@frozen
class Config:
    """The resolved settings of one conversation.

    Attributes:
        warnings: problems in the settings file, for the user.
    """

    home: Home
    cwd: Path
    provider: Provider
    model: str
    preferences: ModelPreferences
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    collaboration_mode: CollaborationMode = CollaborationMode.DEFAULT
    environment: EnvironmentTable = field(default_factory=EnvironmentTable)
    command_guards: CommandGuards = NO_GUARDS
    validation: ValidationSwitches = DEFAULT_SWITCHES
    limits: LimitsTable = field(default_factory=LimitsTable)
    tools: ToolsTable = field(default_factory=ToolsTable)
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
    mcp_tools_share: float = 0.01
    permission_tool: ClientToolTable | None = None
    read_tool: ClientToolTable | None = None
    write_tool: ClientToolTable | None = None
    storage: Storage = field(default_factory=Storage)
    warnings: tuple[str, ...] = ()


def read_settings(
    overrides: ConfigOverrides = NO_OVERRIDES, environ: Mapping[str, str] = os.environ
) -> Sources:
    """Read the layers that `load_config` resolves.

    Raises:
        ConfigError: a file cannot be read or is not TOML, or the profile is unknown.
    """
    cwd = working_directory(overrides.cwd)
    return read_sources(find_home(environ), cwd, project_of(cwd), overrides.run, environ)


def load_config(overrides: ConfigOverrides = NO_OVERRIDES, environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration of a conversation.

    Raises:
        ConfigError: says which file, key or option is invalid, and what would be valid.
    """
    home = find_home(environ)
    cwd = working_directory(overrides.cwd)
    project = project_of(cwd)
    sources = read_sources(home, cwd, project, overrides.run, environ)
    layers = sources.layers
    settings, warnings = checked(layers)

    scenario = settings.replay_scenario and expand_home(settings.replay_scenario)
    provider_id = settings.model_provider or ("replay" if scenario else "openai")
    model = settings.model or DEFAULT_MODEL
    provider = chosen_provider(provider_id, settings, scenario, layers)
    preferences = ModelPreferences(
        model=model,
        effort=settings.model_reasoning_effort,
        summary=settings.model_reasoning_summary,
        verbosity=settings.model_text_verbosity,
        reasoning=settings.model_supports_reasoning_summaries,
        context_window=settings.model_context_window,
        catalog=catalog(settings, provider_id),
        provider=provider.traits,
        fallback_window=provider.fallback_window,
    )
    policy = sandbox_policy(settings.sandbox_mode, settings)
    servers = {name: table for name, table in settings.mcp_servers.items() if table.enabled}
    guards = load_guards(settings.confirm_guard, home.path, project, layers)
    return Config(
        home=home,
        cwd=cwd,
        provider=provider,
        model=model,
        preferences=preferences,
        approval_policy=settings.approval_policy,
        sandbox_policy=policy,
        collaboration_mode=settings.collaboration_mode,
        environment=settings.shell_environment_policy,
        command_guards=guards,
        validation=_validation(settings.validation),
        limits=settings.limits,
        tools=settings.tools,
        base_instructions=overrides.base_instructions or instructions_file(settings, layers, cwd),
        user_instructions=settings.instructions,
        project_doc_max_bytes=settings.project_doc_max_bytes,
        tool_output_token_limit=settings.tool_output_token_limit,
        show_raw_reasoning=settings.show_raw_agent_reasoning,
        hide_reasoning=settings.hide_agent_reasoning,
        acp_enabled=settings.acp.enabled,
        key_isolation=settings.key_isolation,
        mcp_servers=servers,
        mcp_tools_share=settings.mcp_tools_share,
        permission_tool=client_tool(settings, layers, "request_permission"),
        read_tool=client_tool(settings, layers, "read_text_file"),
        write_tool=client_tool(settings, layers, "write_text_file"),
        record=_path(environ.get("CODE_RECORD")),
        storage=_storage(settings, ephemeral=bool(overrides.ephemeral)),
        warnings=(
            *warnings,
            *sources.warnings,
            *paths_without_effect(settings, policy, cwd, environ),
            *capabilities(preferences, model, provider.wire_api).warnings,
            *inline_tokens(layers, servers),
            *guards.warnings,
            *recording_without_effect(provider, environ),
        ),
    )


def configured_servers(environ: Mapping[str, str] = os.environ) -> dict[str, McpServerTable]:
    """Return the MCP servers in the user's settings, including disabled ones.

    Raises:
        ConfigError: the settings are invalid.
    """
    return checked(file_layers(find_home(environ)))[0].mcp_servers


def checked_servers(tables: Mapping[str, Any]) -> dict[str, McpServerTable]:
    """Validate MCP servers given in the form of the settings file.

    Raises:
        ConfigError: a name or a setting is invalid.
    """
    table = {"mcp_servers": dict(tables)}
    for mistake in mistakes_in(table):
        raise ConfigError(str(mistake))
    return ConfigFile.model_validate(table).mcp_servers


def sandbox_policy(mode: SandboxMode, settings: ConfigFile) -> SandboxPolicy:
    """Return the policy for `mode` with the options in the settings."""
    match mode:
        case SandboxMode.READ_ONLY:
            return ReadOnly()
        case SandboxMode.WORKSPACE_WRITE:
            table = settings.sandbox_workspace_write
            roots = [expand_home(root) for root in table.writable_roots]
            return WorkspaceWrite(**{**table.model_dump(), "writable_roots": roots})
        case SandboxMode.DANGER_FULL_ACCESS:
            return DangerFullAccess()


def working_directory(given: Path | None) -> Path:
    """Return the directory to work in, resolving `given` against the current one.

    Raises:
        ConfigError: it is not a directory.
    """
    try:
        cwd = given if given is not None and given.is_absolute() else Path.cwd() / (given or "")
    except FileNotFoundError as error:
        raise ConfigError("the current directory no longer exists: change to another one") from error
    if not is_directory(cwd):
        raise ConfigError(f"the working directory {str(cwd)!r} is not a directory")
    return Path(os.path.normpath(cwd))


def project_of(cwd: Path) -> Checkout:
    """Return the repository that contains `cwd`, or else the directory itself."""
    return find_checkout(cwd) or Checkout(Path(os.path.realpath(cwd)), own_ids())


def _storage(settings: ConfigFile, *, ephemeral: bool) -> Storage:
    sessions, typed = settings.sessions, settings.history
    if ephemeral:
        sessions = sessions.model_copy(update={"save": False})
        typed = typed.model_copy(update={"persistence": "none"})
    return Storage(sessions, settings.checkpoints, settings.outputs, typed)


def _validation(table: ValidationTable) -> ValidationSwitches:
    allowed = None if table.tools_allowlist is None else frozenset(table.tools_allowlist)
    return ValidationSwitches(table.groups, table.tools, allowed, table.timeout_seconds)


def _path(value: str | None) -> Path | None:
    return Path(value).absolute() if value else None
