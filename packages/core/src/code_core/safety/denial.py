"""Whether a confined command failed because it was confined."""

SIGSYS_EXIT_CODE = 159
COMMAND_NOT_FOUND = 127
TELL_TALES = (
    "operation not permitted",
    "permission denied",
    "read-only file system",
    "seccomp",
    "sandbox",
    "landlock",
    "failed to write file",
)


def looks_denied(exit_code: int, output: str) -> bool:
    """A guess from how the command ended and what it said; a command that was not found never was."""
    if exit_code in {0, COMMAND_NOT_FOUND}:
        return False
    said = output.casefold()
    return exit_code == SIGSYS_EXIT_CODE or any(words in said for words in TELL_TALES)
