"""Lets the options of a command precede its name: `code config -c model=x get model`."""

from collections.abc import Container, Iterable

import click


class LeadingOptionsGroup(click.Group):
    """A group whose commands take their options before their names, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`, with the command before its options."""
        params = [param for command in self.commands.values() for param in command.params]
        return super().parse_args(ctx, command_first(args, params, self.commands))


def command_first(args: list[str], params: Iterable[click.Parameter], commands: Container[str]) -> list[str]:
    """Return `args` with the command moved before the options that precede it.

    Args:
        args: the words after the program's name.
        params: the options that may precede the command.
        commands: the names of the commands.
    """
    options = {name: param for param in params for name in param.opts}
    at = 0
    while at < len(args) and args[at].startswith("-") and args[at] != "--":
        option = options.get(args[at])
        at += 2 if isinstance(option, click.Option) and not option.is_flag else 1
    return [args[at], *args[:at], *args[at + 1 :]] if at < len(args) and args[at] in commands else args
