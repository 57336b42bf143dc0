"""Text that a terminal may be shown: what models and commands print can drive it."""

import re

_CONTROL = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,16}[@-~]"  # CSI sequences, colours among them
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # OSC, DCS and the like
    r"|\x1b[ -/]{0,4}[0-~]?"
    r"|\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """`text` without escape sequences, control characters and direction overrides; newlines and tabs stay."""
    return _CONTROL.sub("", text)
