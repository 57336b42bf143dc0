"""The user's input as a message for the model."""

import base64
import mimetypes
from collections.abc import Iterable
from pathlib import Path

from code_core.protocol.items import ContentItem, InputImage, InputText, Message
from code_core.protocol.ops import ImageInput, InputItem, LocalImageInput, TextInput

LARGEST_IMAGE = 20 * 2**20


def user_message(items: Iterable[InputItem], cwd: Path) -> Message:
    """The message that `items` make; a local image that cannot be sent becomes a note."""
    content: list[ContentItem] = []
    for item in items:
        match item:
            case TextInput(text=text):
                content.append(InputText(text=text))
            case ImageInput(image_url=url):
                content.append(InputImage(image_url=url))
            case LocalImageInput(path=path):
                content.append(_local_image(cwd / path))
    return Message(role="user", content=content)


def _local_image(path: Path) -> ContentItem:
    kind, _ = mimetypes.guess_type(path.name)
    if kind is None or not kind.startswith("image/"):
        return InputText(text=f"[the file {path} is not an image]")
    try:
        if path.stat().st_size > LARGEST_IMAGE:
            return InputText(text=f"[the image {path} is larger than {LARGEST_IMAGE // 2**20} MiB]")
        data = path.read_bytes()
    except OSError as error:
        return InputText(text=f"[the image {path} cannot be read: {error.strerror}]")
    return InputImage(image_url=f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}")
