"""The settings file as a whole.

Existing files of the fork and of Codex 2025 load unchanged: see `unsupported`.
"""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field

from code_core.config.schema.base import SettingsTable, Table, UncheckedTable
from code_core.config.schema.commands import (
    ConfirmGuardTable,
    EnvironmentTable,
    LimitsTable,
    ToolsTable,
    ValidationTable,
    WorkspaceWriteTable,
)
from code_core.config.schema.models import ModelTable, ProviderTable
from code_core.config.schema.servers import AcpTable, ClientToolsTable, McpServerTable
from code_core.config.schema.storage import CheckpointsTable, KeepTable, MessageHistoryTable, SessionsTable
from code_core.config.schema.unsupported import unsupported_at
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    KeyIsolation,
    ReasoningEffort,
    ReasoningSummary,
    SandboxMode,
    Verbosity,
)

ServerName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]


class ProjectTable(SettingsTable):
    """`[projects."/path"]`: settings for one working directory, or for a repository and everything in it."""

    left_alone: ClassVar[frozenset[str]] = unsupported_at("projects.*.")

    trust_level: str | None = Field(
        None, description="`trusted` or `untrusted`: whether the project's own settings file applies"
    )
    trusted_settings: str | None = Field(None, description="the SHA-256 of that file when you trusted it")
    approval_policy: AskForApproval | None = Field(None, description="`approval_policy` for this directory")
    sandbox_mode: SandboxMode | None = Field(None, description="`sandbox_mode` for this directory")


class Settings(SettingsTable):
    """The keys that every layer may contain, including profiles."""

    left_alone: ClassVar[frozenset[str]] = unsupported_at("")

    model: str | None = Field(None, description="the model; `gpt-5-codex` if absent")
    model_provider: str | None = Field(
        None, description="a built-in provider or one of yours; `openai` if absent"
    )
    model_reasoning_effort: ReasoningEffort | None = Field(
        None, description="how much the model reasons; the provider's default if absent"
    )
    model_reasoning_summary: ReasoningSummary = Field(
        ReasoningSummary.AUTO, description="how reasoning is summarised"
    )
    model_text_verbosity: Verbosity | None = Field(
        None,
        validation_alias=AliasChoices("model_text_verbosity", "model_verbosity"),
        description="how long answers are; only models of the gpt-5 family support it",
    )
    model_context_window: int | None = Field(
        None,
        ge=1,
        description="the context window, in tokens, of the model that the conversation starts with",
    )
    model_supports_reasoning_summaries: bool | None = Field(
        None, description="whether to send `reasoning` to a model that the agent does not know"
    )
    model_providers: dict[str, Table[ProviderTable]] = Field({}, description="endpoints of your own")
    models: dict[str, Table[ModelTable]] = Field({}, description="properties of models")
    approval_policy: AskForApproval = Field(
        AskForApproval.ON_REQUEST, description="when to ask before a command or a patch"
    )
    sandbox_mode: SandboxMode = Field(
        SandboxMode.READ_ONLY, description="what commands and patches may touch"
    )
    collaboration_mode: CollaborationMode = Field(
        CollaborationMode.DEFAULT,
        description="`plan`: change nothing until you accept a plan; see [plan mode](tools.md#plan-mode)",
    )
    # The defaults are not validated, because each table would build a schema for that at every start.
    sandbox_workspace_write: Table[WorkspaceWriteTable] = Field(
        WorkspaceWriteTable.model_construct(), description="what `workspace-write` allows"
    )
    shell_environment_policy: Table[EnvironmentTable] = Field(
        EnvironmentTable.model_construct(), description="which variables commands get"
    )
    confirm_guard: Table[ConfirmGuardTable] = Field(
        ConfirmGuardTable.model_construct(), description="guards of your own"
    )
    validation: Table[ValidationTable] = Field(
        ValidationTable.model_construct(), description="checks of patches"
    )
    limits: Table[LimitsTable] = Field(LimitsTable.model_construct(), description="limits that stop a turn")
    tools: Table[ToolsTable] = Field(ToolsTable.model_construct(), description="which tools the model has")
    tool_output_token_limit: int = Field(
        10_000,
        ge=100,
        description="how many tokens of a tool's output the model gets; `<home>/outputs` has the full output",
    )
    project_doc_max_bytes: int = Field(
        32_768, ge=0, description="how many bytes of the `AGENTS.md` files the model gets"
    )
    instructions: str | None = Field(None, description="your own instructions to the model")
    experimental_instructions_file: Path | None = Field(
        None, description="a file that replaces the built-in instructions"
    )
    show_raw_agent_reasoning: bool = Field(False, description="show the model's raw reasoning")
    hide_agent_reasoning: bool = Field(False, description="hide reasoning")
    mcp_servers: dict[ServerName, Table[McpServerTable]] = Field(
        {}, description="servers whose tools the agent can call"
    )
    mcp_tools_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="the share of the context window that the tools of MCP servers may take; above it, the model finds them with `search_tools`",
    )
    experimental_client_tools: Table[ClientToolsTable] = Field(
        ClientToolsTable.model_construct(), description="tools that the agent itself uses"
    )
    acp: Table[AcpTable] = Field(
        AcpTable.model_construct(), description="the `session/*` tools of the MCP server"
    )
    key_isolation: KeyIsolation = Field(
        "auto", description="whether a separate process holds the provider's API key"
    )
    replay_scenario: Path | None = Field(None, description="the recording that the `replay` provider plays")
    history: Table[MessageHistoryTable] = Field(
        MessageHistoryTable.model_construct(), description="what you type"
    )
    sessions: Table[SessionsTable] = Field(SessionsTable.model_construct(), description="recorded sessions")
    checkpoints: Table[CheckpointsTable] = Field(
        CheckpointsTable.model_construct(), description="file contents for undo"
    )
    outputs: Table[KeepTable] = Field(KeepTable.model_construct(), description="full outputs of commands")


class ConfigFile(Settings):
    """`config.toml`, or the same keys given with `-c key=value`."""

    profile: str | None = Field(None, description="the profile to use unless `--profile` names another")
    # The contents of a profile are validated where it is used, because it may complete a table of the file.
    profiles: dict[str, UncheckedTable[Settings]] = Field(
        {}, description="sets of settings that `--profile` selects"
    )
    projects: dict[str, Table[ProjectTable]] = Field({}, description="settings for one directory")
