"""Shows how a resumed conversation ended."""

from collections.abc import Sequence

from code_core.protocol.items import Message
from code_core.session.history.engine_notes import is_users_own
from code_core.session.history.history import HistoryItem
from code_core.view.frame import framed
from code_core.view.visible import readable

MOST_ROWS = 10
"""Lines shown of one message."""


def recent_lines(history: Sequence[HistoryItem]) -> list[str]:
    """Return the end of a resumed conversation: the user's last input and the answer."""
    messages = [one.item for one in history if isinstance(one.item, Message) and one.item.text.strip()]
    begin = next((at for at in reversed(range(len(messages))) if is_users_own(messages[at])), None)
    if begin is None:
        return []
    answers = [message for message in messages[begin:] if message.role == "assistant"]
    lines = [row for message in (messages[begin], *answers[-1:]) for row in _excerpt(message.text)]
    return ["the session ended with:", *framed(lines, "| ")]


def _excerpt(text: str) -> list[str]:
    rows = readable(text).splitlines()
    more = len(rows) - MOST_ROWS
    return rows if more <= 0 else [*rows[:MOST_ROWS], f"… {more:,} more lines"]
