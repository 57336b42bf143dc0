"""What can go wrong with a patch.

    PatchError
    ├── PatchSyntaxError   the text is not a patch
    ├── PatchMatchError    the text does not fit the file
    ├── PatchReadError     a file cannot be read, or is not what the patch takes it for
    └── PatchApplyError    writing stopped half-way; says what was written

All but the last mean that nothing was changed. The messages are for the model,
which tries again with what they say.
"""

from code_core.patch.edits import FileEdit

SHOWN_CHARS = 2_000


class PatchError(Exception):
    """The root of the patch errors."""


class PatchSyntaxError(PatchError):
    """The text is not a patch."""


class PatchMatchError(PatchError):
    """The lines that a patch changes are not in the file, or stay as they are."""


class PatchReadError(PatchError):
    """A file that a patch names is missing, a directory, or cannot be read."""


class PatchApplyError(PatchError):
    """A file could not be written or deleted.

    Attributes:
        applied: the edits that are on disk now. A move whose old file could not be
            deleted is among them as the new file that it made.
    """

    def __init__(self, message: str, applied: tuple[FileEdit, ...]) -> None:
        super().__init__(message)
        self.applied = applied


def excerpt(text: str) -> str:
    """`text`, cut in the middle to a length that fits a message."""
    if len(text) <= SHOWN_CHARS:
        return text
    head, tail = SHOWN_CHARS * 3 // 4, SHOWN_CHARS // 4
    return f"{text[:head]}\n… {len(text) - head - tail:,} characters …\n{text[-tail:]}"
