"""`code resume` and `code fork`."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from code_cli.directory import absolute_directory
from code_cli.prompt_input import argument_text
from code_cli.run import run_frontend
from code_cli.session_options import overrides_from, session_options

if TYPE_CHECKING:
    from code_core.session.stored.opening import Last

_NO_SESSION = "name a session (code sessions list shows them), or use --last"


@click.command("resume")
@click.argument("words", nargs=-1, metavar="[SESSION] [PROMPT]")
@click.option("--last", is_flag=True, help="Use the last session of this directory.")
@click.option(
    "--all",
    "everywhere",
    is_flag=True,
    help="Include the sessions of all directories, with --last or in the list.",
)
@session_options
def resume_command(words: tuple[str, ...], last: bool, everywhere: bool, **session: Any) -> None:
    """Resume SESSION: an id, the beginning of an id, a name, or the path of a session's file.

    Without SESSION, choose one of the recent sessions of this directory.
    """
    reference, prompt = chosen(words, last=last, everywhere=everywhere, cwd=session["cwd"], pick=True)
    overrides = overrides_from(**session)

    from code_tui.plain import run_plain

    run_frontend(partial(run_plain, overrides, prompt, reference))


@click.command("fork")
@click.argument("words", nargs=-1, metavar="[SESSION] [PROMPT]")
@click.option("--last", is_flag=True, help="Use the last session of this directory.")
@click.option(
    "--all",
    "everywhere",
    is_flag=True,
    help="Include the sessions of all directories, with --last or in the list.",
)
@click.option("--drop-last", type=click.IntRange(0), default=0, help="Leave out this many of the last turns.")
@session_options
def fork_command(
    words: tuple[str, ...], last: bool, everywhere: bool, drop_last: int, **session: Any
) -> None:
    """Continue with a copy of SESSION. The original does not change, and may be open elsewhere."""
    reference, prompt = chosen(words, last=last, everywhere=everywhere, cwd=session["cwd"], pick=True)
    overrides = overrides_from(**session)

    from code_tui.plain import run_plain

    run_frontend(partial(run_plain, overrides, prompt, reference, drop_last=drop_last))


def chosen(
    words: tuple[str, ...], *, last: bool, everywhere: bool, cwd: Path | None, pick: bool = False
) -> "tuple[Last | str, str | None]":
    """Return the chosen session, and the prompt, if any.

    Args:
        words: the words on the command line.
        last: whether to choose the last session, of this directory or `everywhere`.
        everywhere: see `last`.
        cwd: the directory, if not the current one.
        pick: whether the user may be asked to choose.

    Raises:
        click.UsageError: no session is named, or there are too many words.
    """
    from code_core.session.stored.opening import Last

    can_ask = pick and not last and not words and sys.stdin.isatty() and sys.stdout.isatty()
    if everywhere and not last and not can_ask:
        raise click.UsageError("--all needs --last")
    reference: Last | str
    if last:
        reference = Last(None if everywhere else absolute_directory(cwd))
    elif words:
        reference, words = words[0], words[1:]
    elif can_ask:
        from code_cli.session_picker import pick_session

        reference = pick_session(None if everywhere else absolute_directory(cwd))
    else:
        raise click.UsageError(_NO_SESSION)
    if len(words) > 1:
        raise click.UsageError(f"more than one prompt: put quotes around {' '.join(words)[:80]!r}")
    return reference, argument_text(words[0]) if words else None
