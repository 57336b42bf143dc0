"""What a line that begins with a slash does: commands for the chat itself, not for the model."""

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from code_core.config.load import ConfigOverrides
from code_core.errors import CodeError
from code_core.protocol.events import EventMsg
from code_core.protocol.items import Message
from code_core.protocol.ops import Op, Redo, Undo
from code_core.protocol.session_events import SessionSnapshot
from code_core.session.conversation import Conversation
from code_core.session.conversation_history import HistoryItem
from code_core.session.engine_notes import is_users_own
from code_core.session.manager import ConversationManager
from code_core.session.opening import Last
from code_core.session.parts import Parts
from code_core.view.frame import framed
from code_core.view.visible import readable, visible

CHAT = Parts(source="cli")
MOST_ROWS = 10
_COMMAND = re.compile(r"/([\w-]*)(?:\s+(.*))?", re.DOTALL)


class Chat(Protocol):
    """What commands use of the chat that they are entered in."""

    @property
    def manager(self) -> ConversationManager:
        """Where other conversations come from."""
        ...

    @property
    def overrides(self) -> ConfigOverrides:
        """The options that the chat was started with."""
        ...

    @property
    def conversation(self) -> Conversation:
        """The open conversation."""
        ...

    async def carry_out(self, op: Op) -> EventMsg:
        """Send an operation that starts a task, and show what happens until it ends; the end."""
        ...

    def say(self, text: str) -> None:
        """Show a line."""
        ...


class Quit:
    """The chat ends."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The chat goes on with another conversation."""

    conversation: Conversation


Outcome = Quit | Switch | None


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and its line in the help."""

    usage: str
    help: str
    run: Callable[[Chat, str], Awaitable[Outcome]]


async def run_command(chat: Chat, text: str) -> tuple[bool, Outcome]:
    """Whether `text` was a command, and what the chat does next; failures are shown."""
    match = _COMMAND.fullmatch(text.strip())
    if match is None or text[:1].isspace():  # a path, or text that was indented so that it is sent
        return False, None
    name = match[1]
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
        chat.say(f"there is no command /{name}: {hint} (begin with a space to send it to the model)")
        return True, None
    try:
        return True, await command.run(chat, (match[2] or "").strip())
    except CodeError as error:
        chat.say(visible(str(error)))
        return True, None


async def _resume(chat: Chat, argument: str) -> Outcome:
    current = chat.conversation
    reference: Last | str = argument or Last(current.config.cwd)
    return Switch(await chat.manager.resume(reference, chat.overrides, CHAT))


async def _fork(chat: Chat, argument: str) -> Outcome:
    if argument and not argument.isdecimal():
        chat.say("/fork takes a number: the last turns to leave out")
        return None
    drop_last = int(argument or 0)
    return Switch(await chat.manager.fork(chat.conversation.id, chat.overrides, CHAT, drop_last=drop_last))


async def _undo(chat: Chat, _argument: str) -> Outcome:
    await chat.carry_out(Undo())
    return None


async def _redo(chat: Chat, _argument: str) -> Outcome:
    await chat.carry_out(Redo())
    return None


async def _status(chat: Chat, _argument: str) -> Outcome:
    reader = chat.conversation.follow()
    snapshot = (await anext(reader)).msg
    reader.close()
    assert isinstance(snapshot, SessionSnapshot)  # noqa: S101 - always the first event of a reader
    settings = snapshot.settings
    rows: dict[str, Any] = {
        "session": snapshot.session_id,
        "name": snapshot.name,
        "model": settings.model,
        "effort": settings.effort,
        "directory": settings.cwd,
        "approvals": settings.approval_policy,
        "sandbox": settings.sandbox_mode,
        "history": f"{len(snapshot.items):,} items",
        "recorded": "yes" if chat.conversation.session.services.stored is not None else "no",
    }
    for name, value in rows.items():
        if value is not None:
            chat.say(f"{name + ':':<11} {visible(str(value))}")
    return None


async def _help(chat: Chat, _argument: str) -> Outcome:
    for command in COMMANDS.values():
        if command.help:
            chat.say(f"{command.usage:<18} {command.help}")
    return None


async def _quit(_chat: Chat, _argument: str) -> Outcome:
    return Quit()


COMMANDS: Mapping[str, Command] = {
    "resume": Command(
        "/resume [SESSION]", "switch to another session; by default the last one of this directory", _resume
    ),
    "fork": Command("/fork [N]", "continue with a copy of this session, without its last N turns", _fork),
    "undo": Command("/undo", "undo the last turn's changes to files", _undo),
    "redo": Command("/redo", "redo what was undone", _redo),
    "status": Command("/status", "show the session and its settings", _status),
    "help": Command("/help", "show this", _help),
    "quit": Command("/quit", "end the chat", _quit),
    "exit": Command("/exit", "", _quit),
}


def recent_lines(history: Sequence[HistoryItem]) -> list[str]:
    """How a resumed conversation ended: the last input of the user and the answer to it."""
    messages = [one.item for one in history if isinstance(one.item, Message) and one.item.text.strip()]
    begin = next((at for at in reversed(range(len(messages))) if is_users_own(messages[at])), None)
    if begin is None:
        return []
    answers = [message for message in messages[begin:] if message.role == "assistant"]
    lines = [row for message in (messages[begin], *answers[-1:]) for row in _excerpt(message.text)]
    return ["the session so far ends with:", *framed(lines, "| ")]


def _excerpt(text: str) -> list[str]:
    rows = readable(text).splitlines()
    more = len(rows) - MOST_ROWS
    return rows if more <= 0 else [*rows[:MOST_ROWS], f"… {more:,} more lines"]
