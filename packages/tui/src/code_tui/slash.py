"""Slash commands: lines for the chat itself, not for the model."""

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Protocol

from code_core.config.load import ConfigOverrides
from code_core.errors import CodeError
from code_core.protocol.events import EventMsg
from code_core.protocol.items import Message
from code_core.protocol.ops import (
    ListCustomPrompts,
    ListTerminals,
    Op,
    OverrideTurnContext,
    Redo,
    StopTerminals,
    Undo,
)
from code_core.protocol.policies import CollaborationMode
from code_core.protocol.question_events import ListCustomPromptsResponse
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged
from code_core.protocol.terminal_events import TerminalEnded, TerminalInfo, TerminalsChanged
from code_core.session.conversation import Conversation
from code_core.session.history.engine_notes import is_users_own
from code_core.session.history.history import HistoryItem
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.opening import Last
from code_core.view.frame import framed
from code_core.view.titles import shortened
from code_core.view.visible import readable, visible

CHAT = Parts(source="cli", asks_user=True)
MOST_ROWS = 10
PROMPTS = "prompts:"
PLANNING = "plan mode is on: nothing changes until you accept a plan (/plan off ends it)"
_COMMAND = re.compile(r"/([\w:-]*)(?:\s+(.*))?", re.DOTALL)


class Chat(Protocol):
    """The interface between commands and the chat."""

    @property
    def manager(self) -> ConversationManager:
        """Creates other conversations."""
        ...

    @property
    def overrides(self) -> ConfigOverrides:
        """The options that the chat was started with."""
        ...

    @property
    def conversation(self) -> Conversation:
        """The open conversation."""
        ...

    async def answered_by(self, op: Op, kind: "type[Any] | UnionType") -> Any:
        """Send an operation, show events until one of `kind` answers it, and return that event."""
        ...

    async def carry_out(self, op: Op) -> EventMsg:
        """Send an operation that starts a task, show events until it ends, and return the end."""
        ...

    def say(self, text: str) -> None:
        """Show a line."""
        ...


class Quit:
    """End the chat."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Continue with another conversation."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Send:
    """Send the model a text instead of what was typed."""

    text: str


Outcome = Quit | Switch | Send | None


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and its line in the help."""

    usage: str
    help: str
    run: Callable[[Chat, str], Awaitable[Outcome]]


async def run_command(chat: Chat, text: str) -> tuple[bool, Outcome]:
    """Run `text` if it is a command; return whether it was, and what the chat does next. Failures are shown."""
    match = _COMMAND.fullmatch(text.strip())
    if match is None or text[:1].isspace():  # a path, or text that was indented in order to send it
        return False, None
    name = match[1]
    command = COMMANDS.get(name)
    if name.startswith(PROMPTS):
        return True, await _custom_prompt(chat, name.removeprefix(PROMPTS), (match[2] or "").strip())
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


async def _plan(chat: Chat, argument: str) -> Outcome:
    on = argument != "off"
    mode = CollaborationMode.PLAN if on else CollaborationMode.DEFAULT
    await chat.answered_by(OverrideTurnContext(collaboration_mode=mode), SettingsChanged)
    if argument not in {"", "on", "off"}:
        return Send(argument)
    chat.say(PLANNING if on else "plan mode is off")
    return None


async def _terminals(chat: Chat) -> list[TerminalInfo]:
    listed: TerminalsChanged = await chat.answered_by(ListTerminals(), TerminalsChanged)
    return listed.terminals


async def _ps(chat: Chat, _argument: str) -> Outcome:
    for one in (running := await _terminals(chat)):
        where = f"in {visible(str(one.cwd))}{'' if one.confined else ', OUTSIDE the sandbox'}"
        chat.say(f"{one.session_id:>3}  {shortened(visible(one.command))} ({where})")
    if not running:
        chat.say("no command is running")
    return None


async def _stop(chat: Chat, argument: str) -> Outcome:
    if argument and not argument.isdecimal():
        chat.say("/stop takes the number of a command, as /ps shows it; without one it stops all of them")
        return None
    chosen = [one for one in await _terminals(chat) if argument in {"", str(one.session_id)}]
    if not chosen:
        chat.say(f"there is no command {argument}: /ps lists them" if argument else "no command is running")
        return None
    left = {one.session_id for one in chosen}
    op: Op = StopTerminals(session_id=int(argument) if argument else None)
    while left:
        ended: TerminalEnded = await chat.answered_by(op, TerminalEnded)
        left.discard(ended.session_id)
        op = ListTerminals()
    for one in chosen:
        chat.say(f"stopped {one.session_id}: {shortened(visible(one.command))}")
    return None


async def _prompts(chat: Chat, _argument: str) -> Outcome:
    found: ListCustomPromptsResponse = await chat.answered_by(ListCustomPrompts(), ListCustomPromptsResponse)
    for warning in found.warnings:
        chat.say(f"warning: {warning}")
    for one in found.custom_prompts:
        hint = f" {one.argument_hint}" if one.argument_hint else ""
        chat.say(f"/{PROMPTS}{one.name}{hint}  {one.description}")
    if not found.custom_prompts:
        folder = chat.conversation.config.home.path / "prompts"
        chat.say(f"there are no prompts: a file {visible(str(folder))}/NAME.md is sent by /{PROMPTS}NAME")
    return None


async def _custom_prompt(chat: Chat, name: str, arguments: str) -> Outcome:
    from code_core.context.custom_prompts import CustomPrompt

    found: ListCustomPromptsResponse = await chat.answered_by(ListCustomPrompts(), ListCustomPromptsResponse)
    for one in found.custom_prompts:
        if one.name == name:
            prompt = CustomPrompt(one.name, one.description, one.argument_hint, one.content)
            return Send(prompt.filled(arguments))
    for warning in found.warnings:
        chat.say(f"warning: {warning}")
    near = difflib.get_close_matches(name, [one.name for one in found.custom_prompts], n=1)
    hint = f"did you mean /{PROMPTS}{near[0]}?" if near else "/prompts lists them"
    chat.say(f"there is no prompt {name}: {hint}")
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
        "mode": settings.collaboration_mode,
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
    "plan": Command(
        "/plan [TEXT|off]", "plan mode: nothing changes until you accept a plan; TEXT is what to plan", _plan
    ),
    "ps": Command("/ps", "list the commands that are still running", _ps),
    "stop": Command("/stop [N]", "stop the command with this number, or all of them", _stop),
    "prompts": Command("/prompts", f"list your own prompts; /{PROMPTS}NAME sends one", _prompts),
    "undo": Command("/undo", "undo the last turn's changes to files", _undo),
    "redo": Command("/redo", "redo what was undone", _redo),
    "status": Command("/status", "show the session and its settings", _status),
    "help": Command("/help", "show this", _help),
    "quit": Command("/quit", "end the chat", _quit),
    "exit": Command("/exit", "", _quit),
}


def recent_lines(history: Sequence[HistoryItem]) -> list[str]:
    """Return the end of a resumed conversation: the user's last input and the answer."""
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
