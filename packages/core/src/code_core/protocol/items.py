"""Response items: the elements of a conversation's history.

Wire formats of the OpenAI Responses API. An item from the model is kept unchanged, except for
unknown fields; `id` is kept to re-attach it for endpoints that store responses, and omitted from
all other requests.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from code_core.protocol.model import ProtocolModel, UnknownModel, tag_of
from code_core.protocol.text import Text


class InputText(ProtocolModel):
    """Text for the model."""

    type: Literal["input_text"] = "input_text"
    text: Text


class InputImage(ProtocolModel):
    """An image for the model, as an `https:` or `data:` URL."""

    type: Literal["input_image"] = "input_image"
    image_url: Text


class OutputText(ProtocolModel):
    """Text from the model."""

    type: Literal["output_text"] = "output_text"
    text: Text


class Refusal(ProtocolModel):
    """The model's refusal to answer."""

    type: Literal["refusal"] = "refusal"
    refusal: Text


ContentItem = Annotated[InputText | InputImage | OutputText | Refusal, Field(discriminator="type")]


class Message(ProtocolModel):
    """A message from the user, the developer or the assistant."""

    type: Literal["message"] = "message"
    id: Text | None = None
    role: Text
    content: list[ContentItem]

    @property
    def text(self) -> str:
        """All text of the message, joined without separators."""
        parts: list[str] = []
        for part in self.content:
            match part:
                case InputText(text=text) | OutputText(text=text):
                    parts.append(text)
                case Refusal(refusal=text):
                    parts.append(text)
                case InputImage():
                    pass
        return "".join(parts)


class SummaryText(ProtocolModel):
    """One part of a reasoning summary."""

    type: Literal["summary_text"] = "summary_text"
    text: Text


class ReasoningText(ProtocolModel):
    """Raw reasoning, sent only by open models."""

    type: Literal["reasoning_text", "text"] = "reasoning_text"
    text: Text


class Reasoning(ProtocolModel):
    """The model's reasoning; `encrypted_content` carries it into the next request.

    Attributes:
        origin: the only recipient that can read or verify it. None in older records.
        chat_field: the field of a Chat Completions message that it came in and is sent back in.
        chat_details: OpenRouter's `reasoning_details`, which are sent back unchanged.
    """

    type: Literal["reasoning"] = "reasoning"
    id: Text | None = None
    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: Text | None = None
    origin: Text | None = None
    chat_field: Text | None = None
    chat_details: list[dict[str, Any]] | None = None


class FunctionCall(ProtocolModel):
    """A call of a function tool; `arguments` is JSON text, as unreliable as any model output."""

    type: Literal["function_call"] = "function_call"
    id: Text | None = None
    name: Text
    arguments: Text
    call_id: Text


class FunctionCallOutput(ProtocolModel):
    """The output of a `FunctionCall` or a `LocalShellCall`."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: Text
    output: Text | list[ContentItem]


class LocalShellAction(ProtocolModel):
    """The command of a `LocalShellCall`. An environment sent by the model is ignored."""

    type: Literal["exec"] = "exec"
    command: list[Text]
    timeout_ms: int | None = None
    working_directory: Text | None = None


class LocalShellCall(ProtocolModel):
    """A call of the built-in `local_shell` tool."""

    type: Literal["local_shell_call"] = "local_shell_call"
    id: Text | None = None
    call_id: Text
    status: str = "completed"
    action: LocalShellAction


class CustomToolCall(ProtocolModel):
    """A call of a freeform tool; `input` is plain text in the tool's own grammar."""

    type: Literal["custom_tool_call"] = "custom_tool_call"
    id: Text | None = None
    call_id: Text
    name: Text
    input: Text


class CustomToolCallOutput(ProtocolModel):
    """The output of a `CustomToolCall`."""

    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    call_id: Text
    output: Text


class WebSearchCall(ProtocolModel):
    """A search that the provider ran itself."""

    type: Literal["web_search_call"] = "web_search_call"
    id: Text | None = None
    status: Text | None = None
    action: dict[str, Any] | None = None


ToolCall = FunctionCall | LocalShellCall | CustomToolCall
ToolCallOutput = FunctionCallOutput | CustomToolCallOutput
KnownItem = Message | Reasoning | ToolCall | ToolCallOutput | WebSearchCall


class UnknownItem(UnknownModel):
    """An item of an unknown type with all its fields; never sent to a model."""

    if TYPE_CHECKING:  # any text at run time; declared this way so that type checkers can narrow the union
        type: Literal["unknown"]


@cache
def _known() -> frozenset[str]:
    return frozenset(kind.model_fields["type"].default for kind in get_args(KnownItem))


ResponseItem = Annotated[
    Annotated[Annotated[KnownItem, Field(discriminator="type")], Tag("known")]
    | Annotated[UnknownItem, Tag("unknown")],
    Discriminator(lambda value: "known" if tag_of(value) in _known() else "unknown"),
]


def output_type(call: ToolCall) -> type[ToolCallOutput]:
    """Return the type of output item for `call`; the API accepts no other."""
    return CustomToolCallOutput if isinstance(call, CustomToolCall) else FunctionCallOutput


def output_for(call: ToolCall, output: str, images: Sequence[str] = ()) -> ToolCallOutput:
    """Return the output item for `call`, with `images` as data URLs."""
    match call:
        case FunctionCall() | LocalShellCall() if images:
            parts: list[ContentItem] = [InputText(text=output)] if output else []
            parts += [InputImage(image_url=url) for url in images]
            return FunctionCallOutput(call_id=call.call_id, output=parts)
        case FunctionCall() | LocalShellCall():
            return FunctionCallOutput(call_id=call.call_id, output=output)
        case CustomToolCall():
            return CustomToolCallOutput(call_id=call.call_id, output=output)
