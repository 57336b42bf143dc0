"""A click group whose commands are imported only when they are called.

`--help` lists them from a table, so it stays fast whatever they import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click

from code_cli.leading_options import command_first
from code_cli.run import INTERRUPTED


@dataclass(frozen=True, slots=True)
class Entry:
    """The location of a command, as `module:attribute`, and its line in the help."""

    target: str
    help: str
    hidden: bool = False


class LazyGroup(click.Group):
    """A group with a table of commands.

    A first word that is not a command is a prompt for the default command, unless it looks
    like a mistyped command.

    Options of the default command may precede a command's name: `code -m x exec hi`.

    Args:
        entries: the commands.
        default: the command to run if none is named.
        elsewhere: commands of other programs that do not exist here, with advice.
    """

    def __init__(
        self,
        *args: object,
        entries: Mapping[str, Entry],
        default: str,
        elsewhere: Mapping[str, str],
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # click's own keywords, passed through
        self._entries = entries
        self._default = default
        self._elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return [name for name, entry in self._entries.items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        """Import and return the command with that name."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Import and run the command; exits with 130 if Ctrl+C ends it, even during the import."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run, or the default one with all words if none of them is a command."""
        args = self._command_first(ctx, args)
        name = args[0]
        if name in self._elsewhere:
            ctx.fail(self._elsewhere[name])
        if name not in self._entries:
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.75)
            if near:
                ctx.fail(f"no such command {name!r}: did you mean {near[0]!r}?")
            return self._default, self.get_command(ctx, self._default), args
        return super().resolve_command(ctx, args)

    def _command_first(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`args` with the command moved before the options that preceded it."""
        if not args[0].startswith("-"):
            return args
        default = self.get_command(ctx, self._default)
        assert default is not None  # noqa: S101 - the table is ours
        return command_first(args, default.params, {*self._entries, *self._elsewhere})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].help) for name in self.list_commands(ctx)])
