"""Commands that send the user's own prompts, which are files."""

import difflib

from code_core.protocol.ops import ListCustomPrompts
from code_core.protocol.question_events import ListCustomPromptsResponse
from code_core.view.visible import visible
from code_tui.commands.chat import Chat, Outcome, Send

PROMPTS = "prompts:"
"""Begins the name of the command that sends a prompt."""


async def list_prompts(chat: Chat, _argument: str) -> Outcome:
    """List the user's own prompts."""
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


async def send_prompt(chat: Chat, name: str, arguments: str) -> Outcome:
    """Send one of the user's own prompts, with `arguments` filled in."""
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
    chat.say(f"there is no prompt {visible(name)}: {hint}")
    return None
