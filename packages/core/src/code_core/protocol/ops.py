"""Operations: everything a frontend can request from a conversation."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator

from code_core.protocol.answer_ops import ResolvePlan, UserInputAnswer
from code_core.protocol.model import ProtocolModel
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    ReasoningEffort,
    ReasoningSummary,
    ReviewDecision,
    SandboxPolicy,
)
from code_core.protocol.text import FilePath, Text
from code_core.protocol.validation import ValidationGroup, ValidationTool


class TextInput(ProtocolModel):
    """Text from the user."""

    type: Literal["text"] = "text"
    text: Text


class ImageInput(ProtocolModel):
    """An image from the user, as an `https:` or `data:` URL."""

    type: Literal["image"] = "image"
    image_url: Text


class LocalImageInput(ProtocolModel):
    """An image file; if it cannot be read, the model gets a note instead."""

    type: Literal["local_image"] = "local_image"
    path: FilePath


InputItem = Annotated[TextInput | ImageInput | LocalImageInput, Field(discriminator="type")]


class UserInput(ProtocolModel):
    """Start a turn, replacing a running task.

    Attributes:
        id: the id in `user_message`; chosen by the engine if absent or already used in the history.
        output_schema: JSON Schema for the turn's final message.
    """

    type: Literal["user_input"] = "user_input"
    items: list[InputItem]
    id: Text | None = None
    output_schema: dict[str, Any] | None = None


class QueueUserInput(ProtocolModel):
    """Add input before the running turn's next request to the model, or start a turn when idle.

    `id` and `output_schema` are those of `user_input`; without a schema, the turn keeps its own.
    """

    type: Literal["queue_user_input"] = "queue_user_input"
    items: list[InputItem]
    id: Text | None = None
    output_schema: dict[str, Any] | None = None


class EditQueuedInput(ProtocolModel):
    """Replace input in the queue; it keeps its position."""

    type: Literal["edit_queued_input"] = "edit_queued_input"
    id: Text
    items: list[InputItem]


class RemoveQueuedInput(ProtocolModel):
    """Remove input from the queue before the model gets it."""

    type: Literal["remove_queued_input"] = "remove_queued_input"
    id: Text


class Compact(ProtocolModel):
    """Replace the history with a summary written by the model; the user's messages stay."""

    type: Literal["compact"] = "compact"


class UncommittedChanges(ProtocolModel):
    """Review uncommitted changes, including untracked files."""

    type: Literal["uncommitted_changes"] = "uncommitted_changes"


class BaseBranch(ProtocolModel):
    """Review what this branch adds to another."""

    type: Literal["base_branch"] = "base_branch"
    branch: Text


class CommitChanges(ProtocolModel):
    """Review one commit."""

    type: Literal["commit"] = "commit"
    sha: Text


class CustomReview(ProtocolModel):
    """Review what the instructions name."""

    type: Literal["custom"] = "custom"
    instructions: Text


ReviewTarget = Annotated[
    UncommittedChanges | BaseBranch | CommitChanges | CustomReview, Field(discriminator="type")
]


class Review(ProtocolModel):
    """Have the model review changes: `entered_review_mode`, then `exited_review_mode` with the findings."""

    type: Literal["review"] = "review"
    target: ReviewTarget


class Undo(ProtocolModel):
    """Restore the files that the last turn changed."""

    type: Literal["undo"] = "undo"


class Redo(ProtocolModel):
    """Redo the changes that the last `undo` reverted."""

    type: Literal["redo"] = "redo"


class RunUserShellCommand(ProtocolModel):
    """Run a command for the user, outside the sandbox; the model sees the command and its output."""

    type: Literal["run_user_shell_command"] = "run_user_shell_command"
    command: Annotated[Text, Field(min_length=1)]


class ListTerminals(ProtocolModel):
    """List the commands that kept running after their calls; answered by `terminals_changed`."""

    type: Literal["list_terminals"] = "list_terminals"


class StopTerminals(ProtocolModel):
    """Stop a command that kept running after its call, and everything it started; null stops all."""

    type: Literal["stop_terminals"] = "stop_terminals"
    session_id: int | None = None


class SetSessionName(ProtocolModel):
    """Name the session; null removes the name."""

    type: Literal["set_session_name"] = "set_session_name"
    name: Text | None = None


class Interrupt(ProtocolModel):
    """Stop the running turn; queued input stays."""

    type: Literal["interrupt"] = "interrupt"


class ExecApproval(ProtocolModel):
    """Answer an `exec_approval_request`.

    Attributes:
        id: the request's `approval_id`.
        feedback: a reason for a denial, for the model.
        rule: replaces the proposed rule of `approved_prefix`; it may allow less, never more.
    """

    type: Literal["exec_approval"] = "exec_approval"
    id: Text
    decision: ReviewDecision
    feedback: Text | None = None
    rule: Text | None = None


class PatchApproval(ProtocolModel):
    """Answer an `apply_patch_approval_request`.

    Attributes:
        id: the request's `approval_id`.
        feedback: a reason for a denial, for the model.
    """

    type: Literal["patch_approval"] = "patch_approval"
    id: Text
    decision: ReviewDecision
    feedback: Text | None = None


class RegisterApprovedCommand(ProtocolModel):
    """Allow a command for the session: exactly this command, or every command with this prefix.

    `semantic_prefix` also allows commands that begin with these words, ignoring options.
    """

    type: Literal["register_approved_command"] = "register_approved_command"
    command: Annotated[list[Text], Field(min_length=1)]
    match_kind: Literal["exact", "prefix"] = "exact"
    semantic_prefix: list[Text] | None = None


class UpdateValidationTool(ProtocolModel):
    """Turn one check of patches on or off, for later turns."""

    type: Literal["update_validation_tool"] = "update_validation_tool"
    name: ValidationTool
    enable: bool


class UpdateValidationGroup(ProtocolModel):
    """Turn a group of checks on or off; settings of individual checks are kept."""

    type: Literal["update_validation_group"] = "update_validation_group"
    group: ValidationGroup
    enable: bool


class OverrideTurnContext(ProtocolModel):
    """Change settings for later turns; omitted fields do not change.

    Attributes:
        collaboration_mode: in `plan`, nothing may change until the user accepts the plan. Codex's form, an object
            with a `mode`, is accepted too.
    """

    type: Literal["override_turn_context"] = "override_turn_context"
    cwd: FilePath | None = None
    approval_policy: AskForApproval | None = None
    sandbox_policy: SandboxPolicy | None = None
    model: Text | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    collaboration_mode: CollaborationMode | None = None

    @field_validator("collaboration_mode", mode="before")
    @classmethod
    def _mode(cls, value: Any) -> Any:
        return value.get("mode") if isinstance(value, Mapping) else value


class ListCustomPrompts(ProtocolModel):
    """List the user's own prompts; answered by `list_custom_prompts_response`."""

    type: Literal["list_custom_prompts"] = "list_custom_prompts"


class ResolveElicitation(ProtocolModel):
    """Answer an `elicitation_request`; on acceptance, `content` must match its schema."""

    type: Literal["resolve_elicitation"] = "resolve_elicitation"
    id: Text
    action: Literal["accept", "decline", "cancel"]
    content: dict[Text, Any] | None = None


class McpQuery(ProtocolModel):
    """The base of queries to MCP servers."""


class ListMcpTools(McpQuery):
    """List the tools of all MCP servers; answered by `mcp_list_tools_response`."""

    type: Literal["list_mcp_tools"] = "list_mcp_tools"


class ListMcpResources(McpQuery):
    """List the resources of all MCP servers; answered by `mcp_list_resources_response`."""

    type: Literal["list_mcp_resources"] = "list_mcp_resources"


class ListMcpPrompts(McpQuery):
    """List the prompts of all MCP servers; answered by `mcp_list_prompts_response`."""

    type: Literal["list_mcp_prompts"] = "list_mcp_prompts"


class GetMcpPrompt(McpQuery):
    """Request an MCP server's prompt with its arguments filled in; answered by `mcp_get_prompt_response`."""

    type: Literal["get_mcp_prompt"] = "get_mcp_prompt"
    server: Text
    name: Text
    arguments: dict[Text, Text] = {}


class AddToHistory(ProtocolModel):
    """Add a line to the user's input history, unless `history.persistence` turns this off."""

    type: Literal["add_to_history"] = "add_to_history"
    text: Text


class GetHistoryEntryRequest(ProtocolModel):
    """Request an entry of the input history; answered by `get_history_entry_response`.

    Attributes:
        log_id: the log, as named in an earlier response; null for the current one.
        offset: the entry, counting from the oldest as 0; null for the newest.
    """

    type: Literal["get_history_entry_request"] = "get_history_entry_request"
    log_id: int | None = None
    offset: int | None = None


class Shutdown(ProtocolModel):
    """End the conversation; `shutdown_complete` is its last event."""

    type: Literal["shutdown"] = "shutdown"


Op = Annotated[
    UserInput
    | QueueUserInput
    | Interrupt
    | ExecApproval
    | PatchApproval
    | RegisterApprovedCommand
    | UpdateValidationTool
    | UpdateValidationGroup
    | OverrideTurnContext
    | ResolveElicitation
    | ResolvePlan
    | UserInputAnswer
    | ListMcpTools
    | ListCustomPrompts
    | ListMcpResources
    | ListMcpPrompts
    | GetMcpPrompt
    | EditQueuedInput
    | RemoveQueuedInput
    | Compact
    | Review
    | Undo
    | Redo
    | RunUserShellCommand
    | ListTerminals
    | StopTerminals
    | SetSessionName
    | AddToHistory
    | GetHistoryEntryRequest
    | Shutdown,
    Field(discriminator="type"),
]


def parse_op(text: str | bytes) -> Op:
    """Parse an operation from a line of JSON.

    Raises:
        pydantic.ValidationError: invalid JSON, an unknown `type`, or an invalid field.
    """
    adapter: TypeAdapter[Op] = TypeAdapter(Op)
    return adapter.validate_json(text)
