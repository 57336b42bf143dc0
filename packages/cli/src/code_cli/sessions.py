"""`code sessions`. Listing runs in its own process, so this imports little."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from code_cli.directory import absolute_directory
from code_cli.leading_options import LeadingOptionsGroup
from code_cli.run import FAILED, USAGE
from code_cli.typed_ahead import drop_typed_ahead

if TYPE_CHECKING:
    from code_core.store.record import SessionRecord
    from code_core.store.sessions import SessionStore

LONGEST_TITLE = 60


@click.group("sessions", cls=LeadingOptionsGroup, context_settings={"help_option_names": ["-h", "--help"]})
def sessions_command() -> None:
    """List, show, name, archive and delete sessions.

    SESSION is an id, the beginning of one, a name, or the path of a session's file.
    """


@sessions_command.command("list")
@click.argument("search", required=False)
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=25, help="List at most this many sessions."
)
@click.option(
    "-C", "--cd", "cwd", type=click.Path(path_type=Path), help="List only the sessions of this directory."
)
@click.option("--archived", is_flag=True, help="List archived sessions instead.")
@click.option("--cursor", help="Continue after another list, at its next_cursor.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(
    search: str | None, limit: int, cwd: Path | None, archived: bool, cursor: str | None, as_json: bool
) -> None:
    """List sessions, newest first.

    With SEARCH, list only those whose name, first message, directory, branch or id contains it.
    """
    with reported():
        from code_core.config.paths import find_home
        from code_core.store.catalog import Catalog
        from code_core.store.listing import Query

        home = find_home(os.environ)
        catalog = Catalog(home.path, () if home.fallback is None else (home.fallback,))
        where = None if cwd is None else absolute_directory(cwd)
        page = catalog.list(
            Query(limit=limit, cursor=cursor, cwd=where, archived=archived, search=search or "")
        )
    if catalog.problem is not None:
        click.echo(f"note: {_lines(catalog.problem)}, so all sessions were read", err=True)
    if as_json:
        shown = {"sessions": [_fields(one) for one in page.sessions], "next_cursor": page.next_cursor}
        click.echo(json.dumps(shown, indent=2))
        return
    for one in page.sessions:
        when = datetime.fromtimestamp(one.updated_ns / 1e9).astimezone()
        click.echo(f"{_shown(one.id)}  {when:%Y-%m-%d %H:%M}  {_shown(one.title)[:LONGEST_TITLE]}")
    if not page.sessions:
        click.echo("no sessions" if where is None else f"no sessions of {_shown(str(where))}")
    elif page.next_cursor is not None:
        click.echo(f"more sessions: use -n, a search or --cursor {page.next_cursor}", err=True)


@sessions_command.command("show")
@click.argument("session")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, help="Show at most this many messages and calls."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(session: str, limit: int, as_json: bool) -> None:
    """Show the end of a session: messages, calls and results."""
    with reported():
        from code_core.store.transcript import read_transcript

        store = _store()
        record = store.find(session)
        transcript = read_transcript(record.path, limit)
        holder = store.holder(record)
    if as_json:
        blocks = [
            {"kind": one.kind, "text": one.text, "timestamp": one.timestamp} for one in transcript.blocks
        ]
        shown = _fields(record) | {
            "blocks": blocks,
            "complete": transcript.complete,
            "notes": transcript.notes,
        }
        click.echo(json.dumps(shown, indent=2))
        return

    from code_core.view.visible import readable

    click.echo(f"{_shown(record.title)}\n{record.id}, in {_shown(record.cwd)}, {_shown(str(record.path))}")
    if holder is not None:
        click.echo(f"open in {holder}")
    if not transcript.complete:
        click.echo("…")
    for block in transcript.blocks:
        cut = f" … ({block.cut:,} more characters)" if block.cut else ""
        click.echo(f"\n[{block.kind}]\n{readable(block.text)}{cut}")
    for note in transcript.notes:
        click.echo(f"note: {note}", err=True)


@sessions_command.command("rename")
@click.argument("session")
@click.argument("name")
def rename_command(session: str, name: str) -> None:
    """Name a session; an empty NAME removes the name."""
    with reported():
        store = _store()
        kept = store.rename(store.find(session), name)
    click.echo(f"renamed to {_shown(kept)}" if kept else "removed the name of the session")


@sessions_command.command("archive")
@click.argument("session")
def archive_command(session: str) -> None:
    """Hide a session from lists. It can still be resumed."""
    with reported():
        store = _store()
        path = store.archive(store.find(session))
    click.echo(f"archived: {_shown(str(path))}")


@sessions_command.command("unarchive")
@click.argument("session")
def unarchive_command(session: str) -> None:
    """Show an archived session in lists again."""
    with reported():
        store = _store()
        path = store.unarchive(store.find(session))
    click.echo(f"unarchived: {_shown(str(path))}")


@sessions_command.command("delete")
@click.argument("session")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete_command(session: str, yes: bool) -> None:
    """Delete a session permanently, with its outputs and checkpoints."""
    with reported():
        store = _store()
        record = store.find(session)
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("cannot ask without a terminal: use --yes")
            drop_typed_ahead()
            click.confirm(f"Delete {_shown(record.title)[:LONGEST_TITLE]!r} ({record.id})?", abort=True)
        store.delete(record)
    click.echo(f"deleted {record.id}")


@contextmanager
def reported() -> Iterator[None]:
    """Exit with one line if a session or the home directory is not usable."""
    from code_core.errors import CodeError, ConfigError

    try:
        yield
    except CodeError as error:
        click.echo(f"code: {_lines(str(error))}", err=True)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)


def _store() -> "SessionStore":
    from code_core.config.paths import find_home
    from code_core.store.sessions import SessionStore

    home = find_home(os.environ)
    return SessionStore(home.path, () if home.fallback is None else (home.fallback,))


def _fields(record: "SessionRecord") -> dict[str, Any]:
    values = {one.name: getattr(record, one.name) for one in fields(record) if one.name != "updated_ns"}
    updated = datetime.fromtimestamp(record.updated_ns / 1e9).astimezone()
    return values | {"path": str(record.path), "updated": updated.isoformat(timespec="milliseconds")}


def _shown(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    from code_core.view.visible import visible

    return visible(text)


def _lines(text: str) -> str:
    from code_core.view.visible import readable

    return readable(text)
