"""Settings for what commands and patches may do, and for the limits of a turn."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import AliasChoices, Field

from code_core.config.schema.base import SettingsTable, Value
from code_core.config.schema.unsupported import unsupported_at
from code_core.protocol.validation import ValidationGroup, ValidationTool


class WorkspaceWriteTable(SettingsTable):
    """`[sandbox_workspace_write]`: what `workspace-write` allows in addition to the working directory."""

    writable_roots: list[Path] = Field([], description="additional writable directories; `~` is your home")
    network_access: bool = Field(False, description="give commands network access")
    exclude_tmpdir_env_var: bool = Field(False, description="do not make `$TMPDIR` writable")
    exclude_slash_tmp: bool = Field(False, description="do not make `/tmp` writable")
    allow_git_writes: bool = Field(True, description="let commands and patches write to `.git`")
    max_processes: int | None = Field(
        4096, ge=16, description="the maximum number of processes and threads of a command"
    )
    max_file_bytes: int | None = Field(
        64 * 2**30, ge=4096, description="the largest file that a command may write, in bytes"
    )
    max_memory_bytes: int | None = Field(
        None, ge=2**20, description="the maximum private memory of each process, in bytes; no limit if absent"
    )
    max_shared_memory_bytes: int = Field(
        2**30, ge=4096, description="the size of the command's own `/dev/shm`, in bytes (bubblewrap)"
    )


class EnvironmentTable(SettingsTable):
    """`[shell_environment_policy]`: which variables commands get."""

    left_alone: ClassVar[frozenset[str]] = unsupported_at("shell_environment_policy.")

    inherit: Literal["all", "core", "none"] = Field("all", description="which variables commands inherit")
    ignore_default_excludes: bool = Field(
        False, description="also pass on variables that look like credentials"
    )
    exclude: list[str] = Field([], description="names (globs) of variables to remove")
    set: dict[str, Value] = Field({}, description="variables to set")
    include_only: list[str] = Field([], description="if not empty, pass on only these names (globs)")


class GuardPatternTable(SettingsTable):
    """`[[confirm_guard.patterns]]`: a regular expression for commands that need `confirm:`."""

    regex: str = Field(description="commands that match need `confirm:`")
    message: str | None = Field(None, description="the reason, shown to the model")


class ConfirmGuardTable(SettingsTable):
    """`[confirm_guard]`: guards in addition to the built-in ones."""

    patterns: list[GuardPatternTable] = Field([], description="guards of your own")


class ValidationTable(SettingsTable):
    """`[validation]`: checks of patches before they are applied."""

    groups: dict[ValidationGroup, bool] = Field({}, description="turn groups of checks on or off")
    tools: dict[ValidationTool, bool] = Field(
        {}, description="turn single checks on or off; overrides their group"
    )
    tools_allowlist: list[ValidationTool] | None = Field(
        None, description="run only these checks; all if absent"
    )
    timeout_seconds: float = Field(
        6.0, gt=0, le=600, description="the time limit, in seconds, of checks without one of their own"
    )


class ToolsTable(SettingsTable):
    """`[tools]`: optional tools for the model."""

    view_image: bool = Field(True, description="let the model look at image files")
    web_search: bool = Field(
        False,
        validation_alias=AliasChoices("web_search", "web_search_request"),
        description="let the provider search the web, if it can (Responses API)",
    )
    web_search_allowed_domains: list[str] = Field([], description="search only these sites; all if empty")


class LimitsTable(SettingsTable):
    """`[limits]`: when a turn stops automatically; absent means no limit."""

    max_tool_calls: int | None = Field(None, ge=1, description="stop a turn after this many tool calls")
    max_wall_seconds: float | None = Field(None, gt=0, description="stop a turn after this many seconds")
    max_total_tokens: int | None = Field(
        None, ge=1, description="stop a turn after this many tokens, estimated if the provider reports none"
    )
    max_cost_usd: float | None = Field(
        None, gt=0, description="stop a turn after this many US dollars; the model's prices must be known"
    )
