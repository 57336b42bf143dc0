"""The settings file: its keys, their types, their meaning.

Old files of the fork and of Codex 2025 load unchanged: keys of features that
live in other frontends or are still to come are accepted and left alone.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator

from code_core.model.providers import ServerKind
from code_core.protocol.model import ProtocolModel
from code_core.protocol.policies import (
    AskForApproval,
    KeyIsolation,
    ReasoningEffort,
    ReasoningSummary,
    SandboxMode,
    Verbosity,
    WireApi,
)
from code_core.protocol.validation import ValidationGroup, ValidationTool


def _spelled(value: Any) -> Any:
    """A number or a truth value as TOML spells it; what needs a text is often written without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Value = Annotated[str, BeforeValidator(_spelled)]
"""The value of a variable, a header or a parameter."""


class SettingsTable(ProtocolModel):
    """A table of the settings file."""

    left_alone: ClassVar[frozenset[str]] = frozenset()
    """Keys that are accepted without effect: other programs read the file too."""


class PricesTable(SettingsTable):
    """`[models.NAME.prices]`: US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(None, ge=0)


class ChatQuirksTable(SettingsTable):
    """`[models.NAME.chat]`: how a model or its server departs from Chat Completions."""

    system_role: Literal["system", "developer", "user"] | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    effort_field: Literal["reasoning_effort", "reasoning", "none"] | None = None
    stream_usage: bool | None = None
    alternate_roles: bool | None = None
    reasoning_history: bool | None = None
    reasoning_required: bool | None = None
    short_call_ids: bool | None = None


class ModelTable(SettingsTable):
    """`[models.NAME]`: what you know of a model; a `NAME` that ends in `*` is for all that begin so."""

    context_window: int | None = Field(None, ge=1)
    max_output_tokens: int | None = Field(None, ge=1)
    reasoning: bool | None = None
    verbosity: bool | None = None
    parallel_tool_calls: bool | None = None
    tool_form: Literal["freeform", "function", "none"] | None = None
    images: bool | None = None
    prices: PricesTable | None = None
    chat: ChatQuirksTable = ChatQuirksTable()
    extra_body: dict[str, Any] = {}

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        """Raises: ValueError: `extra_body` has what only the program can know."""
        if taken := sorted({"input", "messages", "model", "stream", "tools"} & self.extra_body.keys()):
            raise ValueError(f"extra_body cannot have {', '.join(taken)}: the program writes them")
        return self


class ProviderTable(SettingsTable):
    """`[model_providers.ID]`: an endpoint of your own, or what is different of a built-in one."""

    name: str | None = None
    base_url: str | None = None
    env_key: str | None = None
    env_key_instructions: str | None = None
    wire_api: WireApi = "responses"
    server: ServerKind | None = None
    models: dict[str, ModelTable] = {}
    query_params: dict[str, Value] = {}
    http_headers: dict[str, Value] = {}
    env_http_headers: dict[str, str] = {}
    request_max_retries: int = Field(4, ge=0, le=100)
    stream_max_retries: int = Field(5, ge=0, le=100)
    stream_idle_timeout_ms: int = Field(300_000, ge=1)
    requires_openai_auth: bool = False


class WorkspaceWriteTable(SettingsTable):
    """`[sandbox_workspace_write]`: what `workspace-write` allows besides the working directory."""

    writable_roots: list[Path] = []
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False
    allow_git_writes: bool = True
    max_processes: int | None = Field(4096, ge=16)
    max_file_bytes: int | None = Field(64 * 2**30, ge=4096)
    max_memory_bytes: int | None = Field(None, ge=2**20)
    max_shared_memory_bytes: int = Field(2**30, ge=4096)


class EnvironmentTable(SettingsTable):
    """`[shell_environment_policy]`: which variables a command gets."""

    inherit: Literal["all", "core", "none"] = "all"
    ignore_default_excludes: bool = False
    exclude: list[str] = []
    set: dict[str, Value] = {}
    include_only: list[str] = []


class GuardPatternTable(SettingsTable):
    """`[[confirm_guard.patterns]]`: a regular expression for commands that need `confirm:`."""

    regex: str
    message: str | None = None


class ConfirmGuardTable(SettingsTable):
    """`[confirm_guard]`: guards besides the built-in ones."""

    patterns: list[GuardPatternTable] = []


class ValidationTable(SettingsTable):
    """`[validation]`: the checks of patches before they are applied."""

    groups: dict[ValidationGroup, bool] = {}
    tools: dict[ValidationTool, bool] = {}
    tools_allowlist: list[ValidationTool] | None = None
    timeout_seconds: float = Field(6.0, gt=0, le=600)


class LimitsTable(SettingsTable):
    """`[limits]`: when a turn stops by itself; absent means no limit."""

    max_tool_calls: int | None = Field(None, ge=1)
    max_wall_seconds: float | None = Field(None, gt=0)
    max_total_tokens: int | None = Field(None, ge=1)


_OF_COMMAND: tuple[str, ...] = ("args", "env", "env_vars", "cwd", "sandbox", "network_access")
_OF_URL: tuple[str, ...] = ("bearer_token_env_var", "bearer_token", "http_headers")


class McpServerTable(SettingsTable):
    """`[mcp_servers.NAME]`: a server as a program (`command`) or over HTTP (`url`)."""

    left_alone: ClassVar[frozenset[str]] = frozenset({"startup_timeout_ms"})

    command: str | None = None
    args: list[str] = []
    env: dict[str, Value] = {}
    env_vars: list[str] = []
    cwd: Path | None = None
    sandbox: bool = False
    network_access: bool = False
    url: str | None = None
    bearer_token_env_var: str | None = None
    bearer_token: SecretStr | None = None
    http_headers: dict[str, Value] = {}
    enabled: bool = True
    required: bool = False
    roots: list[Path] | None = None
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
        """Raises: ValueError: keys of both transports, or of none."""
        match self.command, self.url:
            case None, None if self.enabled:
                raise ValueError("give it a command, or a url")
            case str(), None:
                transport, foreign = "command", _OF_URL
            case None, str():
                transport, foreign = "url", _OF_COMMAND
            case str(), str():
                raise ValueError("command and url are both set: a server has one or the other")
            case _:
                return self
        if odd := next((key for key in foreign if key in self.model_fields_set), None):
            raise ValueError(
                f"{transport} and {odd} are both set: {odd} is for servers with the other transport"
            )
        return self


class ClientToolTable(SettingsTable):
    """One tool of `[experimental_client_tools]`: a tool of a configured MCP server that serves the agent itself."""

    mcp_server: str = Field(validation_alias=AliasChoices("mcp_server", "mcpServer"))
    tool_name: str = Field(validation_alias=AliasChoices("tool_name", "toolName"))


class ClientToolsTable(SettingsTable):
    """`[experimental_client_tools]`: what the agent asks of MCP servers; the model does not see these tools."""

    request_permission: ClientToolTable | None = Field(
        None, validation_alias=AliasChoices("request_permission", "requestPermission")
    )


class MessageHistoryTable(SettingsTable):
    """`[history]`: whether what you type is kept for all sessions, and how large its file becomes."""

    persistence: Literal["save-all", "none"] = "save-all"
    max_bytes: int = Field(8 * 2**20, ge=4096)


class KeepTable(SettingsTable):
    """`[outputs]`: when what sessions leave behind is deleted; 0 means never."""

    keep_days: float = Field(30, ge=0)
    keep_megabytes: float = Field(1024, ge=0)


class CheckpointsTable(KeepTable):
    """`[checkpoints]`: the files that undo brings back."""

    enabled: bool = True
    keep_megabytes: float = Field(2048, ge=0)


class SessionsTable(KeepTable):
    """`[sessions]`: the records that sessions are resumed from."""

    save: bool = True
    keep_days: float = Field(0, ge=0)
    keep_megabytes: float = Field(0, ge=0)


class AcpTable(SettingsTable):
    """`[acp]`: whether the `session/*` tools are listed: always, never, or for clients that ask."""

    enabled: Literal["auto"] | bool = "auto"


class ProfileTable(SettingsTable):
    """`[profiles.NAME]`: settings that `--profile NAME` puts over the file's own."""

    model: str | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_text_verbosity: Verbosity | None = Field(
        None, validation_alias=AliasChoices("model_text_verbosity", "model_verbosity")
    )
    experimental_instructions_file: Path | None = None


class ProjectTable(SettingsTable):
    """`[projects."/path"]`: settings for one working directory."""

    trust_level: str | None = None
    approval_policy: AskForApproval | None = None
    sandbox_mode: SandboxMode | None = None


class ConfigFile(ProfileTable):
    """`config.toml`, or the same keys given with `-c key=value`."""

    # Other frontends read these, or nobody does any more.
    left_alone: ClassVar[frozenset[str]] = frozenset(
        (
            "agents auto_drive auto_upgrade_enabled browser chatgpt_base_url debug "
            "disable_paste_burst disable_response_storage experimental_resume "
            "experimental_use_exec_command_tool experimental_use_rmcp_client file_opener "
            "forced_login_method github mcp_servers_disabled model_auto_compact_token_limit "
            "model_max_output_tokens notice notify otel preferred_auth_method "
            "project_doc_fallback_filenames responses_originator_header_internal_override "
            "review_model subagents tools tui use_experimental_reasoning_summary "
            "windows_wsl_setup_acknowledged"
        ).split()
    )

    profile: str | None = None
    profiles: dict[str, ProfileTable] = {}
    projects: dict[str, ProjectTable] = {}
    model_providers: dict[str, ProviderTable] = {}
    models: dict[str, ModelTable] = {}
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
    history: MessageHistoryTable = MessageHistoryTable()
    sessions: SessionsTable = SessionsTable()
    checkpoints: CheckpointsTable = CheckpointsTable()
    outputs: KeepTable = KeepTable()
    mcp_servers: dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")], McpServerTable] = {}
    key_isolation: KeyIsolation = "auto"
    tool_output_token_limit: int = Field(10_000, ge=100)
    show_raw_agent_reasoning: bool = False
    hide_agent_reasoning: bool = False
