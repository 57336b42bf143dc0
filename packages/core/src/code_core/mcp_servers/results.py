"""Converts tool results for the model: text, with images separate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic_core import to_json

from code_core.frozen import frozen
from code_core.wire.images import NotAnImage, checked_url

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ContentBlock

MOST_IMAGES = 10


@frozen
class ResultParts:
    """The text of a result, and its images as data URLs."""

    text: str
    images: tuple[str, ...]


def parts_of(result: "CallToolResult") -> ResultParts:
    """Return structured content as JSON if there is any, otherwise the texts; other blocks become a line each.

    An error result includes both, because its texts explain what went wrong.
    """
    parts = parts_of_blocks(result.content)
    if result.structured_content is None:
        return parts
    structured = to_json(result.structured_content).decode()
    # Servers repeat it as text for clients without support for structured content.
    alone = not (result.is_error and parts.text) or structured in parts.text.split("\n")
    return ResultParts(structured if alone else f"{parts.text}\n{structured}", parts.images)


def parts_of_blocks(blocks: "Sequence[ContentBlock]") -> ResultParts:
    """Return the text of content blocks, at least a line for each, and the images."""
    images: list[str] = []
    texts: list[str] = []
    for block in blocks:
        if (image := _image(block)) is not None and len(images) < MOST_IMAGES:
            images.append(image)
        else:
            texts.append(_text(block))
    return ResultParts("\n".join(texts), tuple(images))


def image_url(data: str) -> str | None:
    """Return an image in base64 as a data URL, or None if it cannot be sent.

    Some servers write line breaks into the base64, as in a mail, or send a data URL.
    """
    if data.startswith("data:"):
        data = data.partition(",")[2]
    try:
        return checked_url(f"data:;base64,{''.join(data.split())}")
    except NotAnImage:
        return None


def _image(block: "ContentBlock") -> str | None:
    from mcp_types import ImageContent

    return image_url(block.data) if isinstance(block, ImageContent) else None


def _text(block: "ContentBlock") -> str:
    from mcp_types import (
        AudioContent,
        EmbeddedResource,
        ImageContent,
        ResourceLink,
        TextContent,
        TextResourceContents,
    )

    match block:
        case TextContent(text=text):
            return text
        case EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
        case EmbeddedResource(resource=resource):
            return f"[a file that is not text: {resource.uri}]"
        case ResourceLink(uri=uri, name=name):
            return f"[{name}: {uri}]"
        case ImageContent():
            return "[an image that cannot be shown: too many images, too large, damaged, animated, or not PNG, JPEG, GIF or WebP]"
        case AudioContent(mime_type=kind):
            return f"[audio of type {kind}, which cannot be played here]"
