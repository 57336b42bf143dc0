"""Reduces terminal output to the plain lines that a terminal would show.

Source: ECMA-48 (5th edition) and the control sequences of xterm.
"""

import re

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, movements
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC: titles, links
    r"|[ -/]*[0-Z\\^-~])"  # charsets, keypad modes
)
_OTHER_CONTROLS = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_BACKSPACES = re.compile(r"[^\n\x08]\x08")


def plain_text(text: str) -> str:
    """Return `text` without colours and movements; of an overwritten line, such as a progress bar, only the last state."""
    text = _SEQUENCE.sub("", text).replace("\x1b", "")
    text = re.sub(r"\r+\n", "\n", text)
    while (shorter := _BACKSPACES.sub("", text)) != text:
        text = shorter
    text = _OTHER_CONTROLS.sub("", text.replace("\x08", ""))
    return "\n".join(_overwritten(line) for line in text.split("\n"))


def _overwritten(line: str) -> str:
    """The text after the last carriage return."""
    if "\r" not in line:
        return line
    parts = line.split("\r")
    return next((part for part in reversed(parts) if part), "")
