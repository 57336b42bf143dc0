"""Standard output and error on a terminal: whatever is printed there, it cannot drive the terminal."""

import io
import sys


class TerminalStream(io.TextIOWrapper):
    """Writes text with everything escaped that a terminal obeys or does not show, but for our own styles.

    A program that draws on the screen writes to the file descriptor.
    """

    def write(self, text: str, /) -> int:
        """Write `text`; the number of its characters."""
        from code_core.view.visible import for_terminal  # here, because pipes and files do not need it

        super().write(for_terminal(text))
        return len(text)


def guard_standard_streams() -> None:
    """Make standard output and error write what any terminal can show; files and pipes get text as it is."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors="backslashreplace")  # models write what a terminal may not have
        if stream.isatty():
            stream.flush()
            guarded = TerminalStream(
                stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True
            )
            setattr(sys, name, guarded)
