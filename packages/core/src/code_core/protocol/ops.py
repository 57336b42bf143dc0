"""Operations: everything a frontend can ask of a conversation."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from code_core.protocol.model import ProtocolModel
from code_core.protocol.policies import (
    AskForApproval,
    ReasoningEffort,
    ReasoningSummary,
    ReviewDecision,
    SandboxPolicy,
)
from code_core.protocol.text import FilePath, Text
from code_core.protocol.validation import ValidationGroup, ValidationTool


class TextInput(ProtocolModel):
    """Text of the user."""

    type: Literal["text"] = "text"
    text: Text


class ImageInput(ProtocolModel):
    """An image of the user, as an `https:` or `data:` URL."""

    type: Literal["image"] = "image"
    image_url: Text


class LocalImageInput(ProtocolModel):
    """An image file; a file that cannot be read becomes a note to the model."""

    type: Literal["local_image"] = "local_image"
    path: FilePath


InputItem = Annotated[TextInput | ImageInput | LocalImageInput, Field(discriminator="type")]


class UserInput(ProtocolModel):
    """Start a turn; a running one is replaced."""

    type: Literal["user_input"] = "user_input"
    items: list[InputItem]


class QueueUserInput(ProtocolModel):
    """Add input before the next model request of the running turn, or start one when idle."""

    type: Literal["queue_user_input"] = "queue_user_input"
    items: list[InputItem]


class Interrupt(ProtocolModel):
    """Stop the running turn; queued input stays."""

    type: Literal["interrupt"] = "interrupt"


class ExecApproval(ProtocolModel):
    """Answer an `exec_approval_request`.

    Attributes:
        id: the request's `approval_id`.
        feedback: what the model is told about a denial.
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
        feedback: what the model is told about a denial.
    """

    type: Literal["patch_approval"] = "patch_approval"
    id: Text
    decision: ReviewDecision
    feedback: Text | None = None


class RegisterApprovedCommand(ProtocolModel):
    """Allow a command for the session: just this one, or every one that begins so.

    `semantic_prefix` also allows commands whose words, options left out, begin so.
    """

    type: Literal["register_approved_command"] = "register_approved_command"
    command: Annotated[list[Text], Field(min_length=1)]
    match_kind: Literal["exact", "prefix"] = "exact"
    semantic_prefix: list[Text] | None = None


class UpdateValidationTool(ProtocolModel):
    """Turn one check of patches on or off, for the turns to come."""

    type: Literal["update_validation_tool"] = "update_validation_tool"
    name: ValidationTool
    enable: bool


class UpdateValidationGroup(ProtocolModel):
    """Turn a group of checks on or off; what was said of a single one stays."""

    type: Literal["update_validation_group"] = "update_validation_group"
    group: ValidationGroup
    enable: bool


class OverrideTurnContext(ProtocolModel):
    """Change settings for the turns to come; what is left out stays as it is."""

    type: Literal["override_turn_context"] = "override_turn_context"
    cwd: FilePath | None = None
    approval_policy: AskForApproval | None = None
    sandbox_policy: SandboxPolicy | None = None
    model: Text | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None


class ResolveElicitation(ProtocolModel):
    """Answer an `elicitation_request`; `content` fits its schema where it is accepted."""

    type: Literal["resolve_elicitation"] = "resolve_elicitation"
    id: Text
    action: Literal["accept", "decline", "cancel"]
    content: dict[Text, Any] | None = None


class ListMcpTools(ProtocolModel):
    """Ask for the tools of all MCP servers: `mcp_list_tools_response`."""

    type: Literal["list_mcp_tools"] = "list_mcp_tools"


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
    | ListMcpTools
    | Shutdown,
    Field(discriminator="type"),
]


def parse_op(text: str | bytes) -> Op:
    """The operation that a line of JSON spells.

    Raises:
        pydantic.ValidationError: not JSON, an unknown `type`, or a wrong field.
    """
    adapter: TypeAdapter[Op] = TypeAdapter(Op)
    return adapter.validate_json(text)
