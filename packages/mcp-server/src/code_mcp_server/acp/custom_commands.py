"""The user's prompts as slash commands of a session."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from code_core.acp.commands import Command, command_in
from code_core.context.custom_prompts import FOLDER, CustomPrompts, custom_prompts
from code_core.protocol.ops import InputItem, TextInput, UserInput

PREFIX = "prompts:"
"""Before the names of prompts, so that none can take the name of a command built in."""


class CustomCommands:
    """See the module.

    Args:
        home: the user's, with the prompts.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._listed: int | None = None

    def changed(self) -> bool:
        """Whether prompts came or went since they were listed."""
        return self._modified() != self._listed

    async def listed(self) -> tuple[list[Command], Sequence[str]]:
        """The prompts as commands, and warnings about those that cannot be read."""
        self._listed = self._modified()
        found = await self._read()
        commands = [
            Command(f"{PREFIX}{one.name}", one.description, one.hint or ("arguments" if one.takes_arguments else None))
            for one in found.prompts
        ]  # fmt: skip
        return commands, found.warnings

    async def input_of(self, items: Sequence[InputItem]) -> UserInput | None:
        """The input that a prompt with such a command is; None for any other, which waits for nothing."""
        command = command_in(items)
        if command is None or not command[0].startswith(PREFIX):
            return None
        name, arguments = command[0].removeprefix(PREFIX), command[1]
        for prompt in (await self._read()).prompts:
            if prompt.name == name:
                return UserInput(items=[TextInput(text=prompt.filled(arguments)), *items[1:]])
        return None

    async def _read(self) -> CustomPrompts:
        if self._modified() is None:
            return CustomPrompts()
        return await anyio.to_thread.run_sync(custom_prompts, self._home)

    def _modified(self) -> int | None:
        try:
            return (self._home / FOLDER).stat().st_mtime_ns
        except OSError:
            return None
