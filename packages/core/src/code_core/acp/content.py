"""ACP content blocks: the prompt of `session/prompt`.

Source: Agent Client Protocol, version 1, "Content".
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from code_core.protocol.model import ProtocolModel
from code_core.protocol.ops import ImageInput, InputItem, TextInput


class TextBlock(ProtocolModel):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ImageBlock(ProtocolModel):
    """An image, as base64."""

    type: Literal["image"] = "image"
    data: str
    mimeType: str  # noqa: N815 - the wire's spelling


class ResourceLink(ProtocolModel):
    """A file or another resource that the agent may open itself."""

    type: Literal["resource_link"] = "resource_link"
    uri: str
    name: str


class EmbeddedResource(ProtocolModel):
    """A resource with its text, or an image as base64."""

    type: Literal["resource"] = "resource"
    resource: dict[str, Any]


ContentBlock = Annotated[
    TextBlock | ImageBlock | ResourceLink | EmbeddedResource, Field(discriminator="type")
]


def input_items(blocks: Iterable[ContentBlock]) -> list[InputItem]:
    """Convert the blocks to the input of a turn."""
    items: list[InputItem] = []
    for block in blocks:
        match block:
            case TextBlock(text=text):
                items.append(TextInput(text=text))
            case ImageBlock(data=data, mimeType=kind):
                items.append(ImageInput(image_url=f"data:{kind};base64,{data}"))
            case ResourceLink(uri=uri, name=name):
                items.append(TextInput(text=f"[{name}]({_readable(uri)})"))
            case EmbeddedResource(resource={"blob": str(data), "mimeType": str(kind)}) if _is_image(kind):
                items.append(ImageInput(image_url=f"data:{kind};base64,{data}"))
            case EmbeddedResource(resource=resource):
                items.append(TextInput(text=_embedded(resource)))
    return items


def _is_image(kind: str) -> bool:
    return re.fullmatch(r"image/[\w.+-]+", kind, re.ASCII) is not None


def _readable(uri: str) -> str:
    """A `file:` URI as a path for the agent's tools; other URIs unchanged."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else uri


def _embedded(resource: dict[str, Any]) -> str:
    uri = _readable(str(resource.get("uri", "")))
    text = resource.get("text")
    if not isinstance(text, str):
        return f"[{uri}: binary content that cannot be read here]"
    return f'<resource path="{uri}">\n{text}\n</resource>'
