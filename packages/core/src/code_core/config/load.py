"""Reads the settings file and resolves it, with profile, project and overrides, to a `Config`.

What wins, from the strongest: `ConfigOverrides`, the profile, the project's
table, the file with its `-c` edits, the default.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from code_core.config.guards import NO_GUARDS, CommandGuards, load_guards
from code_core.config.overrides import Setting, merged
from code_core.config.paths import Home, find_home, is_directory
from code_core.config.schema import (
    LEFT_ALONE,
    ClientToolTable,
    ConfigFile,
    EnvironmentTable,
    LimitsTable,
    McpServerTable,
    ProviderTable,
    ValidationTable,
)
from code_core.errors import ConfigError
from code_core.model.catalog import family_of
from code_core.model.providers import Provider, builtin_providers
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
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches
from code_core.wire.prompt import ModelSettings

DEFAULT_MODEL = "gpt-5-codex"


@dataclass(frozen=True, slots=True)
class ConfigOverrides:
    """Settings of one run, from options or from a client; None means not given."""

    model: str | None = None
    model_provider: str | None = None
    profile: str | None = None
    cwd: Path | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None
    base_instructions: str | None = None
    replay_scenario: Path | None = None
    settings: tuple[Setting, ...] = ()


NO_OVERRIDES = ConfigOverrides()


@dataclass(frozen=True, slots=True)
class Config:
    """Resolved settings of one conversation.

    Attributes:
        warnings: what the user should know about the settings file.
    """

    home: Home
    cwd: Path
    provider: Provider
    model: ModelSettings
    context_window: int | None
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
    warnings: tuple[str, ...] = ()


def load_config(overrides: ConfigOverrides = NO_OVERRIDES, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of a conversation.

    Raises:
        ConfigError: says which file, key or option is wrong, and what would be right.
    """
    home = find_home(environ)
    path = home.config_file
    table = _read(path)
    settings = _validated(merged(table, overrides.settings), path, bool(overrides.settings))
    cwd = _working_directory(overrides.cwd)
    profile = _profile(settings, overrides.profile)
    project = settings.projects.get(str(cwd))
    chosen = {name: getattr(profile, name) for name in profile.model_fields_set}

    approval = overrides.approval_policy or chosen.get("approval_policy")
    sandbox = overrides.sandbox_mode or chosen.get("sandbox_mode")
    if project is not None:
        approval = approval or project.approval_policy
        sandbox = sandbox or project.sandbox_mode
    approval = approval or settings.approval_policy or AskForApproval.ON_REQUEST
    sandbox = sandbox or settings.sandbox_mode or SandboxMode.READ_ONLY

    scenario = overrides.replay_scenario or settings.replay_scenario or _path(environ.get("CODE_REPLAY"))
    default_provider = "replay" if scenario else "openai"
    provider_id = (
        overrides.model_provider
        or chosen.get("model_provider")
        or settings.model_provider
        or default_provider
    )
    model = overrides.model or chosen.get("model") or settings.model or DEFAULT_MODEL
    family = family_of(model)
    verbosity = chosen.get("model_text_verbosity") or settings.model_text_verbosity
    reasoning = settings.model_supports_reasoning_summaries
    servers = {name: table for name, table in settings.mcp_servers.items() if table.enabled}
    return Config(
        home=home,
        cwd=cwd,
        provider=_provider(provider_id, settings, scenario, environ),
        model=ModelSettings(
            model=model,
            reasoning=family.reasoning if reasoning is None else reasoning,
            effort=chosen.get("model_reasoning_effort") or settings.model_reasoning_effort,
            summary=chosen.get("model_reasoning_summary")
            or settings.model_reasoning_summary
            or ReasoningSummary.AUTO,
            verbosity=verbosity if family.verbosity else None,
        ),
        context_window=settings.model_context_window or family.context_window,
        approval_policy=approval,
        sandbox_policy=sandbox_policy(sandbox, settings),
        environment=settings.shell_environment_policy,
        command_guards=load_guards(settings.confirm_guard, home.path, cwd, path),
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
        warnings=tuple(_unknown_keys(table, path)),
    )


def configured_servers(environ: Mapping[str, str] = os.environ) -> dict[str, McpServerTable]:
    """The MCP servers of the settings file, disabled ones included.

    Raises:
        ConfigError: the settings file is wrong.
    """
    path = find_home(environ).config_file
    return _validated(_read(path), path, overridden=False).mcp_servers


def checked_servers(tables: Mapping[str, Any]) -> dict[str, McpServerTable]:
    """MCP servers as the settings file would have them.

    Raises:
        ConfigError: a name or a setting is wrong.
    """
    return _validated({"mcp_servers": dict(tables)}, Path("code mcp add"), overridden=False).mcp_servers


def sandbox_policy(mode: SandboxMode, settings: ConfigFile) -> SandboxPolicy:
    """The policy that `mode` names, with the file's settings for it."""
    match mode:
        case SandboxMode.READ_ONLY:
            return ReadOnly()
        case SandboxMode.WORKSPACE_WRITE:
            return WorkspaceWrite(**settings.sandbox_workspace_write.model_dump())
        case SandboxMode.DANGER_FULL_ACCESS:
            return DangerFullAccess()


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _validated(table: dict[str, Any], path: Path, overridden: bool) -> ConfigFile:
    try:
        return ConfigFile.model_validate(table)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        where = f"{path} or a -c option" if overridden else str(path)
        given = problem["input"]
        # A table may hold secrets.
        value = "" if isinstance(given, dict | list) else f" is {given!r}"
        raise ConfigError(f"{where}: {key}{value}: {problem['msg']}") from None


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


def _provider(
    provider_id: str, settings: ConfigFile, scenario: Path | None, environ: Mapping[str, str]
) -> Provider:
    builtin = builtin_providers(environ)
    if provider_id == "replay":
        if scenario is None:
            raise ConfigError(
                "the replay provider needs a scenario: set CODE_REPLAY or replay_scenario to its file"
            )
        return replace(builtin["replay"], replay_scenario=scenario)
    if provider_id in builtin:
        return _with_usable_url(builtin[provider_id])
    table = settings.model_providers.get(provider_id)
    if table is None:
        known = ", ".join(sorted({*builtin, *settings.model_providers}))
        raise ConfigError(f"model provider {provider_id!r} is not known (known: {known})")
    return _with_usable_url(_from_table(provider_id, table))


def _from_table(provider_id: str, table: ProviderTable) -> Provider:
    if table.wire_api == "chat":
        raise ConfigError(
            f'model provider {provider_id!r} has wire_api = "chat", which is not spoken yet: '
            'use an endpoint with wire_api = "responses"'
        )
    return Provider(
        id=provider_id,
        name=table.name or provider_id,
        base_url=table.base_url,
        env_key=table.env_key or ("OPENAI_API_KEY" if table.requires_openai_auth else None),
        env_key_instructions=table.env_key_instructions,
        query_params=table.query_params,
        http_headers=table.http_headers,
        env_http_headers=table.env_http_headers,
        request_max_retries=table.request_max_retries,
        stream_max_retries=table.stream_max_retries,
        stream_idle_timeout=table.stream_idle_timeout_ms / 1000,
    )


def _with_usable_url(provider: Provider) -> Provider:
    where, url = f"model provider {provider.id!r}: base_url", provider.base_url
    try:
        parts = urlsplit(url)
        complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise ConfigError(f"{where} is not a URL: check its host and port") from None
    if "@" in parts.netloc:  # and a password, maybe: it is not shown
        raise ConfigError(f"{where} holds a user name: give it as a header instead (env_http_headers)")
    if "?" in url or "#" in url:  # the same of a key
        raise ConfigError(f"{where} has a query or a fragment: put it in query_params")
    if not complete:
        raise ConfigError(f"{where} {url!r} must begin with http:// or https:// and a host")
    if not url.isprintable() or " " in url:
        raise ConfigError(f"{where} {url!r} holds spaces or control characters")
    return provider


def _client_tool(
    table: ClientToolTable | None, servers: Mapping[str, McpServerTable]
) -> ClientToolTable | None:
    if table is not None and table.mcp_server not in servers:
        known = ", ".join(sorted(servers)) or "none"
        raise ConfigError(
            f"experimental_client_tools names the MCP server {table.mcp_server!r}, which is not there (there: {known})"
        )
    return table


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


def _unknown_keys(table: dict[str, Any], path: Path) -> list[str]:
    known = {*ConfigFile.model_fields, *LEFT_ALONE}
    warnings: list[str] = []
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            warnings.append(f"{path}: unknown setting {key!r}{hint}")
    return warnings
