"""Custom prompts and MCP server prompts as slash commands of a session."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from code_core.acp.commands import Command, command_in
from code_core.context.custom_prompts import FOLDER, CustomPrompts, custom_prompts
from code_core.context.server_prompts import arguments_of, command_names, description, hint
from code_core.protocol.mcp_events import McpPrompt
from code_core.protocol.ops import GetMcpPrompt, InputItem, TextInput, UserInput

PREFIX = "prompts:"
"""Prefix of prompt names, so that they cannot shadow built-in commands."""


class CustomCommands:
    """See the module.

    Args:
        home: the home directory with the prompts.

    Attributes:
        were_listed: whether the client has received them.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.were_listed = False
        self._listed: int | None = None
        self._of_servers: dict[str, McpPrompt] = {}
        self._listed_of_servers: dict[str, McpPrompt] = {}

    def take(self, prompts: list[McpPrompt]) -> None:
        """Replace the offered MCP server prompts."""
        self._of_servers = command_names(prompts)

    def changed(self) -> bool:
        """Whether prompts have changed since they were listed."""
        return self._modified() != self._listed or self._of_servers != self._listed_of_servers

    async def listed(self) -> tuple[list[Command], Sequence[str]]:
        """Return the prompts as commands, and warnings about unreadable ones."""
        self.were_listed = True
        self._listed = self._modified()
        self._listed_of_servers = self._of_servers
        found = await self._read()
        commands = [
            Command(f"{PREFIX}{one.name}", one.description, one.hint or ("arguments" if one.takes_arguments else None))
            for one in found.prompts
        ]  # fmt: skip
        commands += [Command(name, description(one), hint(one)) for name, one in self._of_servers.items()]
        return commands, found.warnings

    def query_of(self, items: Sequence[InputItem]) -> GetMcpPrompt | None:
        """Return the query for a server if a prompt is a command for one of its prompts.

        Raises:
            BadPromptCommand: arguments are missing.
        """
        command = command_in(items)
        if command is None or (prompt := self._of_servers.get(command[0])) is None:
            return None
        return GetMcpPrompt(
            server=prompt.server, name=prompt.name, arguments=arguments_of(prompt, command[1])
        )

    async def input_of(self, items: Sequence[InputItem]) -> UserInput | None:
        """Return the input if a prompt is such a command, or None without waiting for any other prompt."""
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
