"""Becomes a command with the terminal on standard input as its controlling terminal.

    python -I -S terminal_exec.py COMMAND ARGUMENTS…

This process leads a session controlled by the terminal, so the keys ^C and ^Z reach the command
as signals. Any failure exits with code 126, or 127 if the command does not exist.
"""

import fcntl
import os
import signal
import sys
import termios


def main(argv: "list[str]") -> None:
    """Take the terminal and become the command; never returns."""
    try:
        if os.getsid(0) != os.getpid():
            os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    except OSError as error:
        _fail(f"the command cannot have a terminal: {error}", 126)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # ignored by the interpreter
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - this is its task
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found", 127)
    except (OSError, ValueError) as error:
        _fail(f"{argv[0]}: cannot be run: {error}", 126)


def _fail(message: str, code: int) -> None:
    os.write(2, f"{message}\n".encode(errors="backslashreplace"))
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
