"""`code undo` and `code redo`: files of a stored session, without a model."""

import os
from typing import Literal

import click

from code_cli.resume import chosen
from code_cli.sessions import reported


@click.command("undo")
@click.argument("session", nargs=-1)
@click.option("--last", is_flag=True, help="Use the last session of this directory (the default).")
@click.option("--all", "everywhere", is_flag=True, help="Use the last session of any directory.")
def undo_command(session: tuple[str, ...], last: bool, everywhere: bool) -> None:
    """Undo the file changes of SESSION's last turn. Your own later changes are kept."""
    _step("undo", session, last=last, everywhere=everywhere)


@click.command("redo")
@click.argument("session", nargs=-1)
@click.option("--last", is_flag=True, help="Use the last session of this directory (the default).")
@click.option("--all", "everywhere", is_flag=True, help="Use the last session of any directory.")
def redo_command(session: tuple[str, ...], last: bool, everywhere: bool) -> None:
    """Redo the file changes that the last undo of SESSION reverted."""
    _step("redo", session, last=last, everywhere=everywhere)


def _step(action: Literal["undo", "redo"], words: tuple[str, ...], *, last: bool, everywhere: bool) -> None:
    reference, more = chosen(words, last=last or not words, everywhere=everywhere, cwd=None)
    if more is not None:
        raise click.UsageError("name one session")
    with reported():
        from code_core.config.paths import find_home
        from code_core.session.stored.opening import find_session, store_of
        from code_core.session.stored.undo_stored import step_stored

        store = store_of(find_home(os.environ))
        record = find_session(store, reference)
        outcome = step_stored(store, record, action)

    from code_core.view.visible import visible

    what = "undid" if action == "undo" else "redid"
    count = len(outcome.restored)
    title = visible(record.title)[:60]
    click.echo(f"{what} changes to {count} file{'' if count == 1 else 's'} ({title})")
    for path in outcome.restored:
        click.echo(f"  {visible(path)}")
    for left in outcome.left:
        click.echo(f"  left alone: {visible(left.path)}: {visible(left.reason)}")
