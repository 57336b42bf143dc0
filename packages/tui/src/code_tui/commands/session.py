"""Commands about the session: switch, copy, undo, compact, plan, show its settings."""

from typing import Any

from code_core.protocol.ops import Compact, OverrideTurnContext, Redo, TextInput, Undo
from code_core.protocol.policies import CollaborationMode
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged
from code_core.session.stored.opening import Last
from code_core.view.visible import visible
from code_tui.commands.chat import CHAT, Chat, Outcome, Send, Switch

PLANNING = "plan mode is on: nothing changes until you accept a plan (/plan off ends it)"
MOST_DIGITS = 9


async def resume(chat: Chat, argument: str) -> Outcome:
    """Switch to another session."""
    current = chat.conversation
    reference: Last | str = argument or Last(current.config.cwd)
    return Switch(await chat.manager.resume(reference, chat.overrides, CHAT))


async def fork(chat: Chat, argument: str) -> Outcome:
    """Switch to a copy of this session."""
    if argument and not (argument.isdecimal() and len(argument) <= MOST_DIGITS):
        chat.say("/fork takes a number: how many of the last turns to leave out")
        return None
    drop_last = int(argument or 0)
    return Switch(await chat.manager.fork(chat.conversation.id, chat.overrides, CHAT, drop_last=drop_last))


async def undo(chat: Chat, _argument: str) -> Outcome:
    """Undo the last turn's changes to files."""
    await chat.carry_out(Undo())
    return None


async def redo(chat: Chat, _argument: str) -> Outcome:
    """Redo what was undone."""
    await chat.carry_out(Redo())
    return None


async def compact(chat: Chat, _argument: str) -> Outcome:
    """Replace the conversation with a summary."""
    await chat.carry_out(Compact())
    return None


async def plan(chat: Chat, argument: str) -> Outcome:
    """Turn plan mode on or off."""
    on = argument != "off"
    mode = CollaborationMode.PLAN if on else CollaborationMode.DEFAULT
    await chat.answered_by(OverrideTurnContext(collaboration_mode=mode), SettingsChanged)
    if argument not in {"", "on", "off"}:
        return Send((TextInput(text=argument),))
    chat.say(PLANNING if on else "plan mode is off")
    return None


async def show_status(chat: Chat, _argument: str) -> Outcome:
    """Show the session and its settings."""
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
