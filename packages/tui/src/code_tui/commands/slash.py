"""Lines that begin with a slash: commands for the chat itself, not for the model."""

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from code_core.errors import CodeError
from code_core.view.visible import visible
from code_tui.commands.chat import Chat, Outcome, Quit
from code_tui.commands.prompts import OF_SERVERS, PROMPTS, list_prompts, send_prompt, send_server_prompt
from code_tui.commands.session import compact, fork, plan, redo, resume, show_status, undo
from code_tui.commands.terminals import list_terminals, stop_terminals

_COMMAND = re.compile(r"/([\w:-]*)(?:\s+(.*))?", re.DOTALL)


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
    name, argument = match[1], (match[2] or "").strip()
    command = COMMANDS.get(name)
    try:
        if name.startswith(PROMPTS):
            return True, await send_prompt(chat, name.removeprefix(PROMPTS), argument)
        if name.startswith(OF_SERVERS):
            return True, await send_server_prompt(chat, name, argument)
        if command is not None:
            return True, await command.run(chat, argument)
    except CodeError as error:
        chat.say(visible(str(error)))
        return True, None
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
    chat.say(f"there is no command /{visible(name)}: {hint} (begin with a space to send it to the model)")
    return True, None


async def _help(chat: Chat, _argument: str) -> Outcome:
    for command in COMMANDS.values():
        if command.help:
            chat.say(f"{command.usage:<18} {command.help}")
    return None


async def _quit(_chat: Chat, _argument: str) -> Outcome:
    return Quit()


COMMANDS: Mapping[str, Command] = {
    "resume": Command(
        "/resume [SESSION]", "switch to another session; by default the last one of this directory", resume
    ),
    "fork": Command("/fork [N]", "continue with a copy of this session, without its last N turns", fork),
    "plan": Command("/plan [TEXT|off]", "turn plan mode on or off; TEXT is what to plan", plan),
    "ps": Command("/ps", "list the commands that are still running", list_terminals),
    "stop": Command("/stop [N]", "stop the command with this number, or all of them", stop_terminals),
    "prompts": Command(
        "/prompts", f"list your prompts and those of MCP servers; /{PROMPTS}NAME sends one", list_prompts
    ),
    "undo": Command("/undo", "undo the last turn's changes to files", undo),
    "redo": Command("/redo", "redo the changes that were undone", redo),
    "compact": Command("/compact", "replace the conversation so far with a summary", compact),
    "status": Command("/status", "show the session and its settings", show_status),
    "help": Command("/help", "show this list", _help),
    "quit": Command("/quit", "end the chat", _quit),
    "exit": Command("/exit", "", _quit),
}
