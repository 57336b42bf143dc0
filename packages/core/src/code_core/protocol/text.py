"""Strings that can always be encoded.

File names and files that are not UTF-8 contain surrogates in Python, and so do some JSON
documents. Encoders reject those, so protocol values replace them with the replacement
character.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from code_core.lazy_pattern import lazy_pattern

_SURROGATE = lazy_pattern("[\ud800-\udfff]")


def repaired(text: str) -> str:
    """Return `text` with U+FFFD for each surrogate."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _path_text(path: Path) -> str:
    return repaired(str(path))


Text = Annotated[str, AfterValidator(repaired)]
"""A string of the protocol."""

FilePath = Annotated[Path, PlainSerializer(_path_text, when_used="json")]
"""A path of the protocol: itself in Python, always text in JSON."""
