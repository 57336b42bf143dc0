"""Patch errors.

    PatchError
    ├── PatchSyntaxError   the text is not a patch
    ├── PatchMatchError    the patch does not fit the file
    ├── PatchReadError     a file cannot be read, or is not what the patch expects
    └── PatchApplyError    writing stopped half-way; says what was written

All but the last mean that nothing was changed. The messages are for the model, which uses them
to try again.
"""

from code_core.patch.edits import FileEdit

SHOWN_CHARS = 2_000


class PatchError(Exception):
    """The base of the patch errors."""


class PatchSyntaxError(PatchError):
    """The text is not a patch."""


class PatchMatchError(PatchError):
    """The lines to change are not in the file, or would not change."""


class PatchReadError(PatchError):
    """A file in the patch is missing, a directory, or unreadable."""


class PatchApplyError(PatchError):
    """A file could not be written or deleted.

    Attributes:
        applied: the edits now on disk. A move whose old file could not be deleted is included
            as adding the new file.
    """

    def __init__(self, message: str, applied: tuple[FileEdit, ...]) -> None:
        super().__init__(message)
        self.applied = applied


def excerpt(text: str) -> str:
    """Return `text`, cut in the middle to fit a message."""
    if len(text) <= SHOWN_CHARS:
        return text
    head, tail = SHOWN_CHARS * 3 // 4, SHOWN_CHARS // 4
    return f"{text[:head]}\n… {len(text) - head - tail:,} characters …\n{text[-tail:]}"
