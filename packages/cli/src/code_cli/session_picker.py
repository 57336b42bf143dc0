"""Lets the user choose one of the recent sessions by number."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from code_cli.typed_ahead import drop_typed_ahead

if TYPE_CHECKING:
    from code_core.store.record import SessionRecord

MOST = 15
LONGEST_TITLE = 60


def pick_session(cwd: Path | None) -> str:
    """Return the id of the session that the user chooses among the recent ones of `cwd`, or of all.

    Exits with 1 if there are no sessions, or the user does not choose one.
    """
    from code_cli.sessions import reported

    with reported():
        from code_core.config.paths import find_home
        from code_core.errors import CodeError
        from code_core.store.catalog import Catalog
        from code_core.store.listing import Query

        home = find_home(os.environ)
        catalog = Catalog(home.path, () if home.fallback is None else (home.fallback,))
        page = catalog.list(Query(limit=MOST, cwd=cwd))
        if not page.sessions:
            where = "" if cwd is None else f" in {cwd}: use --all for other directories"
            raise CodeError(f"no sessions yet{where}")
    click.echo("\n".join(_rows(page.sessions, with_directory=cwd is None)))
    if page.next_cursor is not None:
        click.echo("    … code sessions list shows more, code resume SESSION takes any of them")
    number = _ask_number(len(page.sessions))
    return page.sessions[number - 1].id


def _rows(sessions: "Sequence[SessionRecord]", *, with_directory: bool) -> list[str]:
    from code_core.view.visible import visible

    rows = []
    for number, one in enumerate(sessions, start=1):
        when = datetime.fromtimestamp(one.updated_ns / 1e9).astimezone()
        branch = f"  ({visible(one.git_branch)})" if one.git_branch else ""
        directory = f"  {visible(one.cwd)}" if with_directory else ""
        rows.append(
            f"{number:>3}  {when:%Y-%m-%d %H:%M}  {visible(one.title)[:LONGEST_TITLE]}{branch}{directory}"
        )
    return rows


def _ask_number(count: int) -> int:
    """A number up to `count`; an empty line means the newest session, and `q` or the end of input exits."""
    while True:
        drop_typed_ahead()
        try:
            text = input(f"Session [1-{count}, Enter for 1, q to leave]: ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            raise SystemExit(1) from None
        if text.lower() in {"q", "quit"}:
            raise SystemExit(1)
        if not text:
            return 1
        if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= count:
            return int(text[:9])
        click.echo(f"{text[:20]!a} is not a number from 1 to {count}")
