"""What can go wrong with a patch.

    PatchError
    ├── PatchSyntaxError   the text is not a patch
    ├── PatchMatchError    the text does not fit the file
    ├── PatchFileError     a file cannot be read, or is not what the patch takes it for
    └── PatchApplyError    writing stopped half-way; says what was written

All but the last mean that nothing was changed. The messages are for the model,
which tries again with what they say.
"""

SHOWN_BYTES = 2_000


class PatchError(Exception):
    """The root of the patch errors."""


class PatchSyntaxError(PatchError):
    """The text is not a patch."""


class PatchMatchError(PatchError):
    """The lines that a patch changes are not in the file."""


class PatchFileError(PatchError):
    """A file that a patch names cannot be read, or is missing, or is a directory."""


class PatchApplyError(PatchError):
    """A file could not be written, after others were."""


def excerpt(text: str) -> str:
    """`text`, cut to a length that fits a message."""
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}… ({len(text):,} characters in all)"
