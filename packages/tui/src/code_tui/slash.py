"""What a line that begins with a slash does: commands for the chat itself, not for the model."""

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
    InputItem,
    ListCustomPrompts,
    ListTerminals,
    Op,
    OverrideTurnContext,
    Redo,
    StopTerminals,
    TextInput,
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
PROMPTS, OF_SERVERS = "prompts:", "mcp:"
PLANNING = "plan mode is on: nothing changes until you accept a plan (/plan off ends it)"
_COMMAND = re.compile(r"/([\w:-]*)(?:\s+(.*))?", re.DOTALL)


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

    async def answered_by(self, op: Op, kind: "type[Any] | UnionType") -> Any:
        """Send an operation, and show what happens until an event of `kind` answers it; that event."""
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


@dataclass(frozen=True, slots=True)
class Send:
    """The model gets input that stands for what was typed."""

    items: tuple[InputItem, ...]


Outcome = Quit | Switch | Send | None


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
    if name.startswith(PROMPTS):
        return True, await _custom_prompt(chat, name.removeprefix(PROMPTS), (match[2] or "").strip())
    if name.startswith(OF_SERVERS):
        return True, await _server_prompt(chat, name, (match[2] or "").strip())
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
        return Send((TextInput(text=argument),))
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
    of_servers = await _server_prompts(chat)
    if not found.custom_prompts and not of_servers:
        folder = chat.conversation.config.home.path / "prompts"
        chat.say(f"there are no prompts: a file {visible(str(folder))}/NAME.md is sent by /{PROMPTS}NAME")
    return None


async def _server_prompts(chat: Chat) -> bool:
    """List the prompts of MCP servers; whether there are any, or problems with them."""
    from code_core.context.server_prompts import command_names, description, hint
    from code_core.session.server_prompts import list_server_prompts

    listed = await list_server_prompts(chat.conversation)
    for name, prompt in command_names(listed.prompts).items():
        chat.say(f"/{name}{f' {arguments}' if (arguments := hint(prompt)) else ''}  {description(prompt)}")
    for server, error in listed.errors.items():
        chat.say(
            f"warning: the prompts of the MCP server {visible(server)} cannot be listed: {visible(error)}"
        )
    return bool(listed.prompts or listed.errors)


async def _server_prompt(chat: Chat, name: str, arguments: str) -> Outcome:
    from code_core.context.server_prompts import BadPromptCommand
    from code_core.session.server_prompts import fetch_server_prompt

    try:
        return Send(tuple(await fetch_server_prompt(chat.conversation, name, arguments)))
    except BadPromptCommand as problem:
        chat.say(visible(str(problem)))
        return None


async def _custom_prompt(chat: Chat, name: str, arguments: str) -> Outcome:
    from code_core.context.custom_prompts import CustomPrompt

    found: ListCustomPromptsResponse = await chat.answered_by(ListCustomPrompts(), ListCustomPromptsResponse)
    for one in found.custom_prompts:
        if one.name == name:
            prompt = CustomPrompt(one.name, one.description, one.argument_hint, one.content)
            return Send((TextInput(text=prompt.filled(arguments)),))
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
    "prompts": Command(
        "/prompts", f"list your prompts and those of MCP servers; /{PROMPTS}NAME sends one", _prompts
    ),
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
