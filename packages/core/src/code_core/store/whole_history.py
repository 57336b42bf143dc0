"""Reads the whole history of a session for display, including what compactions replaced."""

import os
from pathlib import Path

from code_core.frozen import frozen
from code_core.store.entries import Compacted, EventEntry, ItemEntry, JsonObject
from code_core.store.lines import glance
from code_core.store.reading import Span
from code_core.store.replay import turns_of
from code_core.store.restore import LineReader, open_rollout
from code_core.store.user_messages import is_from_user

MOST_BYTES = 64 * 2**20
"""Bytes read from the end of the file."""


@frozen
class Summary:
    """Marks where a compaction replaced everything before it."""

    text: str


def read_whole_history(path: Path, most_bytes: int = MOST_BYTES) -> list[JsonObject | Summary]:
    """Return the items of the session at `path`, oldest first, without messages that programs add for the user.

    Raises:
        RolloutUnreadable: the file cannot be read.
    """
    descriptor = open_rollout(path)
    reader = LineReader()
    history: list[JsonObject | Summary] = []
    try:
        size = os.fstat(descriptor).st_size
        for raw in Span(descriptor, max(0, size - most_bytes), size).forwards():
            seen = None if raw.data is None else glance(raw.data)
            if seen is not None and seen.type == "event_msg" and seen.payload_type != "thread_rolled_back":
                continue
            line = reader.decoded(raw)  # the first line may be incomplete and is then skipped
            match None if line is None else line.entry:
                case ItemEntry(payload=item) if item.get("role", "assistant") == "assistant" or is_from_user(
                    item
                ):
                    history.append(item)
                case Compacted(message=text):
                    history.append(Summary(text))
                case EventEntry(name="thread_rolled_back") as entry:
                    _roll_back(history, turns_of(entry))
                case _:
                    pass
    finally:
        os.close(descriptor)
    return history


def _roll_back(history: list[JsonObject | Summary], turns: int) -> None:
    begins = [at for at, item in enumerate(history) if not isinstance(item, Summary) and is_from_user(item)]
    if turns > 0 and begins:
        del history[begins[-min(turns, len(begins))] :]
