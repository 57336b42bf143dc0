"""The settings file: its keys, their types, their meaning.

Old files of the fork and of Codex 2025 load unchanged: keys of features that
live in other frontends or are still to come are accepted and left alone.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from code_core.protocol.model import ProtocolModel
from code_core.protocol.policies import (
    AskForApproval,
    KeyIsolation,
    ReasoningEffort,
    ReasoningSummary,
    SandboxMode,
    Verbosity,
)
from code_core.protocol.validation import ValidationGroup, ValidationTool


class ProviderTable(ProtocolModel):
    """`[model_providers.ID]`: an endpoint of your own."""

    name: str | None = None
    base_url: str
    env_key: str | None = None
    env_key_instructions: str | None = None
    wire_api: Literal["responses", "chat"] = "responses"
    query_params: dict[str, str] = {}
    http_headers: dict[str, str] = {}
    env_http_headers: dict[str, str] = {}
    request_max_retries: int = Field(4, ge=0, le=100)
    stream_max_retries: int = Field(5, ge=0, le=100)
    stream_idle_timeout_ms: int = Field(300_000, ge=1)
    requires_openai_auth: bool = False


class WorkspaceWriteTable(ProtocolModel):
    """`[sandbox_workspace_write]`: what `workspace-write` allows besides the working directory."""

    writable_roots: list[Path] = []
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False
    allow_git_writes: bool = True


class EnvironmentTable(ProtocolModel):
    """`[shell_environment_policy]`: which variables a command gets."""

    inherit: Literal["all", "core", "none"] = "all"
    ignore_default_excludes: bool = False
    exclude: list[str] = []
    set: dict[str, str] = {}
    include_only: list[str] = []


class GuardPatternTable(ProtocolModel):
    """`[[confirm_guard.patterns]]`: a regular expression for commands that need `confirm:`."""

    regex: str
    message: str | None = None


class ConfirmGuardTable(ProtocolModel):
    """`[confirm_guard]`: guards beside the built-in ones."""

    patterns: list[GuardPatternTable] = []


class ValidationTable(ProtocolModel):
    """`[validation]`: the checks of patches before they are applied."""

    groups: dict[ValidationGroup, bool] = {}
    tools: dict[ValidationTool, bool] = {}
    tools_allowlist: list[ValidationTool] | None = None
    timeout_seconds: float = Field(6.0, gt=0, le=600)


class LimitsTable(ProtocolModel):
    """`[limits]`: when a turn stops by itself; absent means no limit."""

    max_tool_calls: int | None = Field(None, ge=1)
    max_wall_seconds: float | None = Field(None, gt=0)
    max_total_tokens: int | None = Field(None, ge=1)


class McpServerTable(ProtocolModel):
    """`[mcp_servers.NAME]`: a server as a program (`command`) or over HTTP (`url`)."""

    command: str | None = None
    args: list[str] = []
    env: dict[str, str] = {}
    env_vars: list[str] = []
    cwd: Path | None = None
    url: str | None = None
    bearer_token_env_var: str | None = None
    http_headers: dict[str, str] = {}
    enabled: bool = True
    required: bool = False
    enabled_tools: list[str] | None = None
    disabled_tools: list[str] = []
    startup_timeout_sec: float = Field(10.0, gt=0)
    tool_timeout_sec: float = Field(60.0, gt=0)
    buffer_capacity: int | str | None = None

    @model_validator(mode="before")
    @classmethod
    def _milliseconds(cls, value: Any) -> Any:
        """Older files give the start's time in milliseconds."""
        if isinstance(value, dict) and isinstance(milliseconds := value.get("startup_timeout_ms"), int):
            return {"startup_timeout_sec": milliseconds / 1000, **value}
        return value

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give it a command, or a url")
        return self


class ClientToolTable(ProtocolModel):
    """One tool of `[experimental_client_tools]`: a tool of a configured MCP server that serves the agent itself."""

    mcp_server: str = Field(validation_alias=AliasChoices("mcp_server", "mcpServer"))
    tool_name: str = Field(validation_alias=AliasChoices("tool_name", "toolName"))


class ClientToolsTable(ProtocolModel):
    """`[experimental_client_tools]`: what the agent asks of MCP servers; the model does not see these tools."""

    request_permission: ClientToolTable | None = Field(
        None, validation_alias=AliasChoices("request_permission", "requestPermission")
    )


class AcpTable(ProtocolModel):
    """`[acp]`: whether the `session/*` tools are listed: always, never, or for clients that ask."""

    enabled: Literal["auto"] | bool = "auto"


class ProfileTable(ProtocolModel):
    """`[profiles.NAME]`: settings that `--profile NAME` puts over the file's own."""

    model: str | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_text_verbosity: Verbosity | None = None
    experimental_instructions_file: Path | None = None


class ProjectTable(ProtocolModel):
    """`[projects."/path"]`: settings for one working directory."""

    trust_level: str | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None


class ConfigFile(ProfileTable):
    """`config.toml`, or the same keys given with `-c key=value`."""

    profile: str | None = None
    profiles: dict[str, ProfileTable] = {}
    projects: dict[str, ProjectTable] = {}
    model_providers: dict[str, ProviderTable] = {}
    model_context_window: int | None = Field(None, ge=1)
    model_supports_reasoning_summaries: bool | None = None
    replay_scenario: Path | None = None
    instructions: str | None = None
    project_doc_max_bytes: int = Field(32_768, ge=0)
    sandbox_workspace_write: WorkspaceWriteTable = WorkspaceWriteTable()
    shell_environment_policy: EnvironmentTable = EnvironmentTable()
    confirm_guard: ConfirmGuardTable = ConfirmGuardTable()
    validation: ValidationTable = ValidationTable()
    experimental_client_tools: ClientToolsTable = ClientToolsTable()
    limits: LimitsTable = LimitsTable()
    acp: AcpTable = AcpTable()
    mcp_servers: dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")], McpServerTable] = {}
    key_isolation: KeyIsolation = "auto"
    tool_output_token_limit: int = Field(10_000, ge=100)
    show_raw_agent_reasoning: bool = False
    hide_agent_reasoning: bool = False


# Accepted in a settings file without effect here: other frontends read them, or nobody does any more.
LEFT_ALONE = frozenset(
    [
        "agents",
        "auto_drive",
        "auto_upgrade_enabled",
        "browser",
        "chatgpt_base_url",
        "debug",
        "disable_paste_burst",
        "disable_response_storage",
        "experimental_resume",
        "experimental_use_exec_command_tool",
        "experimental_use_rmcp_client",
        "file_opener",
        "forced_login_method",
        "github",
        "history",
        "mcp_servers_disabled",
        "model_auto_compact_token_limit",
        "model_max_output_tokens",
        "model_verbosity",
        "notice",
        "notify",
        "otel",
        "preferred_auth_method",
        "project_doc_fallback_filenames",
        "responses_originator_header_internal_override",
        "review_model",
        "subagents",
        "tools",
        "tui",
        "use_experimental_reasoning_summary",
        "validation",
        "windows_wsl_setup_acknowledged",
    ]
)
