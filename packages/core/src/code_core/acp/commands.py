"""Slash commands: how a prompt that begins with one is handled.

Source: Agent Client Protocol, version 1, "Slash commands".
"""

import re
from collections.abc import Sequence
from typing import Any

from code_core.frozen import frozen
from code_core.protocol.ops import (
    Compact,
    CustomReview,
    InputItem,
    Op,
    Review,
    TextInput,
    UncommittedChanges,
    Undo,
    UserInput,
)

_COMMAND = re.compile(r"/([\w:-]+)(?:\s+(.*))?", re.DOTALL)

INIT_PROMPT = (
    "Look at this repository and write an AGENTS.md at its root for agents and newcomers: how it is laid out, "
    "how to build, test and lint it, and the conventions that its code follows. Keep it under 100 lines and "
    "state only what you have checked. If there is one already, correct and complete it."
)


@frozen
class Command:
    """A command, as listed for the client.

    Attributes:
        hint: what may follow the name, or None.
    """

    name: str
    description: str
    hint: str | None = None


@frozen
class Show:
    """A command that shows something without asking the model."""

    what: str


BUILT_IN = (
    Command("compact", "Replace the conversation so far with a summary."),
    Command("review", "Review the uncommitted changes, or what you name.", "what to review"),
    Command("undo", "Undo the file changes of the last turn."),
    Command("init", "Write an AGENTS.md for this repository."),
    Command("diff", "Show the file changes of the last turn."),
    Command("status", "Show the session and its settings."),
)


def available_commands(commands: Sequence[Command] = BUILT_IN) -> dict[str, Any]:
    """Return the update that lists `commands`."""
    listed = [
        {"name": one.name, "description": one.description}
        | ({} if one.hint is None else {"input": {"hint": one.hint}})
        for one in commands
    ]
    return {"sessionUpdate": "available_commands_update", "availableCommands": listed}


def command_in(items: Sequence[InputItem]) -> tuple[str, str] | None:
    """Return the name of a prompt's command and the text after it, or None for other prompts."""
    match items:
        case [TextInput(text=text), *_] if (found := _COMMAND.fullmatch(text.strip())) is not None:
            return found[1], (found[2] or "").strip()
        case _:
            return None


def carried_out(items: Sequence[InputItem]) -> Op | Show:
    """Return the effect of a prompt: a built-in command, or input for the model (including paths such as `/tmp`)."""
    match command_in(items):
        case "compact", _:
            return Compact()
        case "review", "":
            return Review(target=UncommittedChanges())
        case "review", what:
            return Review(target=CustomReview(instructions=what))
        case "undo", _:
            return Undo()
        case "init", _:
            return UserInput(items=[TextInput(text=INIT_PROMPT)])
        case ("diff" | "status") as what, _:
            return Show(what)
        case _:
            return UserInput(items=list(items))
