"""The console script. Until an event loop runs, Ctrl+C ends the process at once.

Python would raise `KeyboardInterrupt` instead, in the middle of an import: a traceback for the
user, or nothing at all where an import runs inside a callback that ignores exceptions.
"""

import signal


def main() -> None:
    """Run the `code` command; exits with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the caller ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from code_cli.main import main as run_command

    run_command()
