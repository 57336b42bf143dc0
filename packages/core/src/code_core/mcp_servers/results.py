"""What a tool of a server gave, as the model gets it: text, and images apart from it."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import to_json

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ContentBlock

MOST_IMAGES = 10
LARGEST_IMAGE = 20 * 2**20

# How files of the types that model APIs take begin. Any other image would fail the request that
# carries it, and each one after it, since it stays in the history.
_SIGNATURES = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
)


@dataclass(frozen=True, slots=True)
class ResultParts:
    """The text of a result, and its images as data URLs."""

    text: str
    images: tuple[str, ...]


def parts_of(result: "CallToolResult") -> ResultParts:
    """Structured content as JSON where there is any, else the texts; what is neither is named in a line."""
    images: list[str] = []
    texts: list[str] = []
    for block in result.content:
        if (image := _image(block)) is not None and len(images) < MOST_IMAGES:
            images.append(image)
        else:
            texts.append(_text(block))
    if result.structured_content is not None:
        # Servers repeat it as text for clients of before.
        texts = [to_json(result.structured_content).decode()]
    return ResultParts("\n".join(texts), tuple(images))


def _image(block: "ContentBlock") -> str | None:
    from mcp_types import ImageContent

    if not isinstance(block, ImageContent) or len(block.data) > LARGEST_IMAGE:
        return None
    try:
        data = base64.b64decode(block.data, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = next((kind for kind, signature in _SIGNATURES if signature.match(data)), None)
    return f"data:{kind};base64,{block.data}" if kind is not None else None


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
            return "[an image that cannot be shown: one too many, too large, or not PNG, JPEG, GIF or WebP]"
        case AudioContent(mime_type=kind):
            return f"[audio of type {kind}, which cannot be played here]"
