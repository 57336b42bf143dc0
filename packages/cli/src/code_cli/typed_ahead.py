"""Keeps what was typed before a question from answering it."""

import sys

import click


def drop_typed_ahead() -> None:
    """Discard what was typed on the terminal before a question is asked, and say so."""
    import select
    import termios

    if not sys.stdin.isatty():
        return
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    termios.tcflush(sys.stdin, termios.TCIFLUSH)  # also a line without Enter, which is not ready
    if ready:
        click.echo("(discarded, because it was typed before the question)", err=True)
