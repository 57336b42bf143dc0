"""Converts the user's input to a message for the model."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from code_core.protocol.items import ContentItem, InputImage, InputText, Message
from code_core.protocol.ops import ImageInput, InputItem, LocalImageInput, TextInput
from code_core.wire.images import LARGEST_IMAGE, NotAnImage, checked_url, data_url


def user_message(items: Iterable[InputItem], cwd: Path) -> tuple[Message, list[str]]:
    """Return the message for `items`, and the problem with each image that cannot be sent.

    Such an image becomes a note to the model.
    """
    content: list[ContentItem] = []
    problems: list[str] = []
    for item in items:
        try:
            content.append(_content(item, cwd))
        except NotAnImage as problem:
            problems.append(str(problem))
            content.append(InputText(text=f"[{problem}]"))
    return Message(role="user", content=content), problems


def local_image(path: Path) -> str:
    """Return the image in the file at `path` as a data URL.

    Raises:
        NotAnImage: names the file and says why it cannot be sent.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotAnImage(f"the image {path} is not a file")
            data = file.read(LARGEST_IMAGE + 1)
    except OSError as error:
        raise NotAnImage(f"the image {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise NotAnImage(f"the image {str(path)!r} cannot be read: {error}") from error
    try:
        return data_url(data)
    except NotAnImage as problem:
        raise NotAnImage(f"the file {path} {problem}") from None


def _content(item: InputItem, cwd: Path) -> ContentItem:
    match item:
        case TextInput(text=text):
            return InputText(text=text)
        case ImageInput(image_url=url):
            try:
                return InputImage(image_url=checked_url(url))
            except NotAnImage as problem:
                raise NotAnImage(f"an image of the input {problem}") from None
        case LocalImageInput(path=path):
            return InputImage(image_url=local_image(cwd / path))
