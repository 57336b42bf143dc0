"""The console script. Until an event loop runs, Ctrl+C ends the process immediately.

Python would raise `KeyboardInterrupt` instead, in the middle of an import, which causes a traceback, or
nothing at all if an import runs inside a callback that ignores exceptions.
"""

import gc
import signal


def main() -> None:
    """Run the `code` command and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # unless the caller ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(1_000_000)  # imports create many permanent objects; `run_frontend` lowers this
    from code_cli.main import main as run_command

    run_command()
