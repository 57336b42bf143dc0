"""Approval policies, sandbox policies and related settings."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from code_core.protocol.model import ProtocolModel


class AskForApproval(StrEnum):
    """When the user is asked before a command runs or a patch is applied."""

    UNTRUSTED = "untrusted"
    ON_FAILURE = "on-failure"
    ON_REQUEST = "on-request"
    NEVER = "never"


class SandboxMode(StrEnum):
    """The name of a sandbox policy, as settings and options spell it."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    DANGER_FULL_ACCESS = "danger-full-access"


class ReadOnly(ProtocolModel):
    """Read anything, write nothing, no network."""

    mode: Literal["read-only"] = "read-only"


class WorkspaceWrite(ProtocolModel):
    """Write below the working directory, the extra roots and the temporary directories.

    The limits apply to a command and everything that it starts (`code_core.sandbox.limits`).
    """

    mode: Literal["workspace-write"] = "workspace-write"
    writable_roots: list[Path] = []
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False
    allow_git_writes: bool = True
    max_processes: int | None = Field(4096, ge=16)
    max_file_bytes: int | None = Field(64 * 2**30, ge=4096)
    max_memory_bytes: int | None = Field(None, ge=2**20)
    max_shared_memory_bytes: int = Field(2**30, ge=4096)


class DangerFullAccess(ProtocolModel):
    """No confinement."""

    mode: Literal["danger-full-access"] = "danger-full-access"


SandboxPolicy = Annotated[ReadOnly | WorkspaceWrite | DangerFullAccess, Field(discriminator="mode")]


WireApi = Literal["responses", "chat"]
"""The API of a provider: the Responses API or Chat Completions."""

KeyIsolation = Literal["auto", "always", "never"]
"""Whether a separate process holds the provider's key; `auto`: unless the provider is on this machine."""


class CollaborationMode(StrEnum):
    """Whether the agent works, or only plans until the user accepts the plan."""

    DEFAULT = "default"
    PLAN = "plan"


class ReasoningEffort(StrEnum):
    """How long a reasoning model thinks; each model supports some of these."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


class ReasoningSummary(StrEnum):
    """Which summary of its reasoning a model provides."""

    AUTO = "auto"
    CONCISE = "concise"
    DETAILED = "detailed"
    NONE = "none"


class Verbosity(StrEnum):
    """How long a model's answers are."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ReviewDecision(StrEnum):
    """The user's answer to an approval request.

    `approved_prefix` also adds the proposed rule to the user's own; without a proposed rule, it
    means `approved`.
    """

    APPROVED = "approved"
    APPROVED_FOR_SESSION = "approved_for_session"
    APPROVED_PREFIX = "approved_prefix"
    DENIED = "denied"
    ABORT = "abort"
