"""Prompts of MCP servers as commands: their names, and arguments as a user types them."""

import difflib
import re
from collections.abc import Mapping

from code_core.context.custom_prompts import argument_words, one_line
from code_core.protocol.mcp_events import McpPrompt
from code_core.protocol.ops import GetMcpPrompt
from code_core.view.visible import visible

PREFIX = "mcp:"
_ODD = re.compile(r"[^\w-]")


class BadPromptCommand(ValueError):  # noqa: N818 - the user's mistake, reported as it is
    """The prompt does not exist, or arguments are missing; the message says which, and what to type."""


def query_of(command: str, typed: str, prompts: list[McpPrompt], errors: Mapping[str, str]) -> GetMcpPrompt:
    """Return the query for the prompt that a command names.

    Args:
        command: `mcp:SERVER:NAME`, without its slash.
        typed: the text after the command.
        prompts: the prompts of all servers.
        errors: why some servers' prompts cannot be listed, by server.

    Raises:
        BadPromptCommand: no server has the prompt, or arguments are missing.
    """
    named = command_names(prompts)
    if (prompt := named.get(command)) is None:
        near = difflib.get_close_matches(command, named, n=1)
        hint = (
            f"did you mean /{near[0]}?" if near else f"the prompts are: {one_line(' '.join(named)) or 'none'}"
        )
        failed = "".join(f"; {visible(server)}: {one_line(error)}" for server, error in errors.items())
        raise BadPromptCommand(f"no MCP server offers /{visible(command)}: {hint}{failed}")
    return GetMcpPrompt(server=prompt.server, name=prompt.name, arguments=arguments_of(prompt, typed))


def command_names(prompts: list[McpPrompt]) -> dict[str, McpPrompt]:
    """Return prompts by command, `mcp:SERVER:NAME` in letters, digits, `_` and `-`; the first of duplicates is used."""
    named: dict[str, McpPrompt] = {}
    for prompt in prompts:
        server, name = _ODD.sub("_", prompt.server), _ODD.sub("_", prompt.name)
        named.setdefault(f"{PREFIX}{server}:{name}", prompt)
    return named


def description(prompt: McpPrompt) -> str:
    """Return the purpose of a prompt, on one line that is safe to show."""
    return one_line(prompt.description or prompt.title or prompt.name)


def hint(prompt: McpPrompt) -> str | None:
    """Return the arguments of a prompt, optional ones in brackets, or None if it takes none."""
    shown = [one.name if one.required else f"[{one.name}]" for one in prompt.arguments]
    return one_line(" ".join(shown)) or None


def arguments_of(prompt: McpPrompt, typed: str) -> dict[str, str]:
    """Parse the arguments in `typed`: words in the prompt's order, or `NAME=VALUE`, quoted as in a shell.

    The last argument takes the rest of the line; a single argument takes all of it verbatim.

    Raises:
        BadPromptCommand: a required argument is missing.
    """
    names = [one.name for one in prompt.arguments]
    given: dict[str, str] = {}
    if len(names) == 1 and typed and not typed.startswith(f"{names[0]}="):
        given[names[0]] = typed
    else:
        words = []
        for word in argument_words(typed):
            name, equals, value = word.partition("=")
            if equals and name in names:
                given[name] = value
            else:
                words.append(word)
        free = [name for name in names if name not in given]
        for position, name in enumerate(free[: len(words)]):
            given[name] = " ".join(words[position:]) if name == free[-1] else words[position]
    missing = [one.name for one in prompt.arguments if one.required and not given.get(one.name)]
    if missing:
        raise BadPromptCommand(
            f"the prompt {prompt.name!r} of the MCP server {prompt.server!r} needs {', '.join(missing)}: "
            f"type {hint(prompt)} after the command"
        )
    return given
