"""Converts resource and prompt contents for the model: text, with images separate."""

from typing import TYPE_CHECKING, Any

from code_core.mcp_servers.results import MOST_IMAGES, image_url, parts_of_blocks
from code_core.protocol.ops import ImageInput, InputItem, TextInput

if TYPE_CHECKING:
    from mcp_types import GetPromptResult, ReadResourceResult

LONGEST_PROMPT = 256 * 1024
"""Characters of a prompt; the rest is left out."""


LARGEST_IMAGES = 8 * 2**20
"""Characters of all images in a prompt, as data URLs; further images are left out."""


def contents_of(result: "ReadResourceResult") -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the parts of a resource as JSON without binary data, and its images as data URLs."""
    from mcp_types import TextResourceContents

    parts: list[dict[str, Any]] = []
    images: list[str] = []
    for content in result.contents:
        part: dict[str, Any] = {"uri": str(content.uri)}
        if content.mime_type is not None:
            part["mimeType"] = content.mime_type
        if isinstance(content, TextResourceContents):
            part["text"] = content.text
        elif (image := image_url(content.blob)) is not None and len(images) < MOST_IMAGES:
            images.append(image)
            part["shown"] = f"as image {len(images)}"
        else:
            part["omitted"] = f"binary data, {len(content.blob) * 3 // 4:,} bytes"
        parts.append(part)
    return parts, tuple(images)


def items_of(result: "GetPromptResult") -> list[InputItem]:
    """Return the messages of a prompt as input for the model.

    Assistant messages are marked, because all input is sent with the user role.
    """
    items: list[InputItem] = []
    images: list[str] = []
    left = LONGEST_PROMPT
    for message in result.messages:
        parts = parts_of_blocks([message.content])
        text = parts.text if message.role == "user" else f"(the assistant:) {parts.text}"
        if parts.text and left > 0:
            items.append(TextInput(text=text[:left]))
            left -= len(text)
        images += parts.images if sum(map(len, (*images, *parts.images))) <= LARGEST_IMAGES else ()
    if left < 0:
        items.append(
            TextInput(text=f"[the prompt is longer than {LONGEST_PROMPT:,} characters; the rest is left out]")
        )
    return items + [ImageInput(image_url=image) for image in images[:MOST_IMAGES]]
