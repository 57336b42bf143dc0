"""A click group whose commands are imported when they are called, not before.

`--help` lists them from the table alone, so it stays fast whatever they import.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, as `module:attribute`, and its line in the help."""

    target: str
    help: str
    hidden: bool = False


class LazyGroup(click.Group):
    """A group over a table of entries.

    A word that is no command is a prompt for the default command, unless it looks
    like a command that was mistyped.
    """

    def __init__(self, *args: object, entries: Mapping[str, Entry], default: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # click's own keywords, passed through
        self._entries = entries
        self._default = default

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the table."""
        return [name for name, entry in self._entries.items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        """The command of that name, imported."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command to run; the default one with all words when the first is no command."""
        name = args[0]
        if name not in self._entries:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.75)
            if near:
                ctx.fail(f"no such command {name!r}: did you mean {near[0]!r}?")
            return self._default, self.get_command(ctx, self._default), args
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].help) for name in self.list_commands(ctx)])
