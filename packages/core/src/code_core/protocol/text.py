"""Strings that can be encoded, whatever they were made of.

A file name or a file that is not UTF-8 comes to Python with surrogates in its
text, and so do some JSON documents. No encoder takes those, so they become the
replacement character where a value of the protocol is made.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

_SURROGATE = re.compile("[\ud800-\udfff]")


def repaired(text: str) -> str:
    """`text` with U+FFFD for each surrogate."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _path_text(path: Path) -> str:
    return repaired(str(path))


Text = Annotated[str, AfterValidator(repaired)]
"""A string of the protocol."""

FilePath = Annotated[Path, PlainSerializer(_path_text, when_used="json")]
"""A path of the protocol: itself in Python, always text in JSON."""
