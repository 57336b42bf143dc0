"""Commands that send prompts: the user's own, which are files, and those of MCP servers."""

import difflib

from code_core.protocol.ops import ListCustomPrompts, TextInput
from code_core.protocol.question_events import ListCustomPromptsResponse
from code_core.view.visible import visible
from code_tui.commands.chat import Chat, Outcome, Send

PROMPTS, OF_SERVERS = "prompts:", "mcp:"
"""Prefixes of the commands that send a prompt."""


async def list_prompts(chat: Chat, _argument: str) -> Outcome:
    """List the user's own prompts and those of MCP servers."""
    found: ListCustomPromptsResponse = await chat.answered_by(ListCustomPrompts(), ListCustomPromptsResponse)
    for warning in found.warnings:
        chat.say(f"warning: {warning}")
    for one in found.custom_prompts:
        hint = f" {one.argument_hint}" if one.argument_hint else ""
        chat.say(f"/{PROMPTS}{one.name}{hint}  {one.description}")
    if not await _list_server_prompts(chat) and not found.custom_prompts:
        folder = chat.conversation.config.home.path / "prompts"
        chat.say(f"there are no prompts: /{PROMPTS}NAME sends a file {visible(str(folder))}/NAME.md")
    return None


async def send_prompt(chat: Chat, name: str, arguments: str) -> Outcome:
    """Send one of the user's own prompts, with `arguments` filled in."""
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
    chat.say(f"there is no prompt {visible(name)}: {hint}")
    return None


async def send_server_prompt(chat: Chat, command: str, arguments: str) -> Outcome:
    """Send a prompt of an MCP server; `command` is `mcp:SERVER:NAME`."""
    from code_core.context.server_prompts import BadPromptCommand
    from code_core.session.servers.prompts import fetch_server_prompt

    try:
        return Send(tuple(await fetch_server_prompt(chat.conversation, command, arguments)))
    except BadPromptCommand as problem:
        chat.say(visible(str(problem)))
        return None


async def _list_server_prompts(chat: Chat) -> bool:
    """List the prompts of MCP servers, and return whether a line was shown."""
    from code_core.context.server_prompts import command_names, description, hint
    from code_core.session.servers.prompts import list_server_prompts

    listed = await list_server_prompts(chat.conversation)
    for name, prompt in command_names(listed.prompts).items():
        chat.say(f"/{name}{f' {arguments}' if (arguments := hint(prompt)) else ''}  {description(prompt)}")
    for server, error in listed.errors.items():
        chat.say(
            f"warning: the prompts of the MCP server {visible(server)} cannot be listed: {visible(error)}"
        )
    return bool(listed.prompts or listed.errors)
