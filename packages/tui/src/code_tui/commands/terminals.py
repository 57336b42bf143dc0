"""Commands for programs that keep running after the agent has started them."""

from code_core.protocol.ops import ListTerminals, Op, StopTerminals
from code_core.protocol.terminal_events import TerminalEnded, TerminalInfo, TerminalsChanged
from code_core.view.titles import shortened
from code_core.view.visible import visible
from code_tui.commands.chat import Chat, Outcome


async def _terminals(chat: Chat) -> list[TerminalInfo]:
    listed: TerminalsChanged = await chat.answered_by(ListTerminals(), TerminalsChanged)
    return listed.terminals


async def list_terminals(chat: Chat, _argument: str) -> Outcome:
    """List the commands that are still running."""
    for one in (running := await _terminals(chat)):
        where = f"in {visible(str(one.cwd))}{'' if one.confined else ', OUTSIDE the sandbox'}"
        chat.say(f"{one.session_id:>3}  {shortened(visible(one.command))} ({where})")
    if not running:
        chat.say("no command is running")
    return None


async def stop_terminals(chat: Chat, argument: str) -> Outcome:
    """Stop one of the commands, or all."""
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
