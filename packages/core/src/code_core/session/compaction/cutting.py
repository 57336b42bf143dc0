"""Cuts texts and history items to a token limit."""

import json
from collections.abc import Sequence

from code_core.protocol.items import (
    ContentItem,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    OutputText,
    ResponseItem,
)
from code_core.session.history.sizes import BYTES_PER_TOKEN, TOKENS_AROUND_AN_ITEM, estimated_tokens

ROOM_OF_THE_NOTE = 60
"""Characters reserved for the line that reports how much was left out."""
AN_IMAGE = "[an image, left out to save space]"


def cut_text(text: str, tokens: int) -> str:
    """Return `text`, with its middle replaced by a line with the omitted length if it exceeds `tokens`."""
    most = max(tokens * BYTES_PER_TOKEN, ROOM_OF_THE_NOTE)
    if len(text) <= most:
        return text
    kept = most - ROOM_OF_THE_NOTE
    tail = kept // 2
    note = f"\n[… {len(text) - kept:,} characters left out to save space …]\n"
    return text[: kept - tail] + note + text[len(text) - tail :]


def cut_item(item: ResponseItem, tokens: int) -> ResponseItem:
    """Return a message, call or output cut to about `tokens`; other items are returned unchanged."""
    if estimated_tokens([item]) <= tokens:
        return item
    room = tokens - TOKENS_AROUND_AN_ITEM
    match item:
        case Message(role="assistant"):
            return item.model_copy(update={"content": [OutputText(text=cut_text(item.text, room))]})
        case Message(content=content):
            return item.model_copy(update={"content": _cut_parts(content, room)})
        case FunctionCallOutput(output=str(text)) | CustomToolCallOutput(output=text):
            return item.model_copy(update={"output": cut_text(text, room)})
        case FunctionCallOutput(output=[*parts]):
            return item.model_copy(update={"output": _cut_parts(parts, room)})
        case CustomToolCall(input=text):
            return item.model_copy(update={"input": cut_text(text, room)})
        case FunctionCall(arguments=text):
            note = {"left_out": f"{len(text):,} characters of arguments, to save space"}
            return item.model_copy(update={"arguments": json.dumps(note)})
        case _:
            return item


def without_images(item: ResponseItem) -> ResponseItem:
    """Return `item` with each image replaced by a note."""
    match item:
        case Message(content=parts) if any(isinstance(part, InputImage) for part in parts):
            return item.model_copy(update={"content": _noted(parts)})
        case FunctionCallOutput(output=[*parts]) if any(isinstance(part, InputImage) for part in parts):
            return item.model_copy(update={"output": _noted(parts)})
        case _:
            return item


def _noted(parts: Sequence[ContentItem]) -> list[ContentItem]:
    return [InputText(text=AN_IMAGE) if isinstance(part, InputImage) else part for part in parts]


def _cut_parts(parts: Sequence[ContentItem], tokens: int) -> list[ContentItem]:
    text = "".join(part.text for part in _noted(parts) if isinstance(part, InputText | OutputText))
    return [InputText(text=cut_text(text, tokens))]
