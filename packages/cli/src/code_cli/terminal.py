"""Makes standard output and error safe: nothing printed there can control the terminal."""

import io
import sys


class TerminalStream(io.TextIOWrapper):
    """Escapes control and invisible characters in text, except for our own styles.

    A program that draws on the screen writes to the file descriptor instead.
    """

    def write(self, text: str, /) -> int:
        """Write `text` and return the number of its characters."""
        from code_core.view.visible import (
            for_terminal,
        )  # imported here, because pipes and files do not need it

        super().write(for_terminal(text))
        return len(text)


def guard_standard_streams() -> None:
    """Make standard output and error safe for terminals; files and pipes receive text unchanged."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(
            errors="backslashreplace"
        )  # models write characters that a terminal may not support
        if stream.isatty():
            stream.flush()
            guarded = TerminalStream(
                stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True
            )
            setattr(sys, name, guarded)
