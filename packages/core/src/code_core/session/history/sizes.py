"""Estimates the size of history items without a tokenizer."""

from collections.abc import Iterable, Mapping

from code_core.protocol.items import (
    ContentItem,
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
)

BYTES_PER_TOKEN = 4
TOKENS_OF_AN_IMAGE = 1_000
TOKENS_AROUND_AN_ITEM = 8


def estimated_tokens(items: Iterable[ResponseItem]) -> int:
    """Estimated tokens in `items`: one per four bytes, and 1,000 per image."""
    return sum(map(_tokens, items))


def image_sizes(items: Iterable[ResponseItem]) -> list[int]:
    """The size of each image in `items`, in characters of its URL."""
    return [
        len(part.image_url)
        for item in items
        if isinstance(item, Message | FunctionCallOutput)
        for part in (item.content if isinstance(item, Message) else item.output)
        if isinstance(part, InputImage)
    ]


def _tokens(item: ResponseItem) -> int:
    match item:
        case Message(content=parts) | FunctionCallOutput(output=[*parts]):
            characters = sum(map(_characters, parts))
        case FunctionCallOutput(output=str(text)) | CustomToolCallOutput(output=text):
            characters = len(text)
        case _:
            characters = _length(item.model_dump())
    return characters // BYTES_PER_TOKEN + TOKENS_AROUND_AN_ITEM


def _characters(part: ContentItem) -> int:
    match part:
        case InputText(text=text) | OutputText(text=text) | Refusal(refusal=text):
            return len(text)
        case InputImage():
            return TOKENS_OF_AN_IMAGE * BYTES_PER_TOKEN


def _length(value: object) -> int:
    match value:
        case str():
            return len(value)
        case Mapping():
            return sum(map(_length, value.values()))
        case list():
            return sum(map(_length, value))
        case _:
            return 0
