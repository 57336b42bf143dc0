"""Reads the messages, calls and results of a session for display."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from code_core.frozen import frozen
from code_core.store.entries import Compacted, Entry, EventEntry, ItemEntry, JsonObject, text_of
from code_core.store.lines import glance
from code_core.store.reading import Span
from code_core.store.replay import turns_of
from code_core.store.restore import MOST_SCANNED, LineReader, open_rollout
from code_core.store.user_messages import is_from_user, text_of_item

Kind = Literal["user", "assistant", "reasoning", "call", "output", "note"]


@frozen
class Block:
    """A piece of a transcript.

    Attributes:
        text: as written by the model or a tool; not made safe for a terminal.
        cut: the number of characters omitted at the end.
        call_id: the call, or the call that a result belongs to.
    """

    kind: Kind
    text: str
    timestamp: str
    cut: int = 0
    call_id: str = ""


@frozen
class Transcript:
    """The end of a session, first to last.

    Attributes:
        complete: whether it goes back to the beginning.
        notes: what could not be read.
    """

    blocks: tuple[Block, ...]
    complete: bool
    notes: tuple[str, ...]


def read_transcript(path: Path, most_blocks: int = 200, longest: int = 4000) -> Transcript:
    """Return the last `most_blocks` pieces of the session at `path`, with texts cut to `longest` characters.

    Raises:
        RolloutUnreadable: the file cannot be read.
    """
    descriptor = open_rollout(path)
    reader = LineReader()
    blocks: list[Block] = []
    complete = True
    try:
        size = os.fstat(descriptor).st_size
        for raw in Span(descriptor, 0, size).backwards():
            if len(blocks) >= most_blocks or size - raw.end > MOST_SCANNED:
                complete = False
                break
            seen = None if raw.data is None else glance(raw.data)
            if seen is not None and seen.type == "event_msg" and seen.payload_type != "thread_rolled_back":
                continue
            line = reader.decoded(raw)
            if line is not None:
                blocks += reversed(list(_blocks(line.entry, line.timestamp, longest)))
    finally:
        os.close(descriptor)
    blocks = blocks[:most_blocks]
    return Transcript(tuple(reversed(blocks)), complete, tuple(reader.skipped.notes()))


def _blocks(entry: Entry, timestamp: str, longest: int) -> Iterator[Block]:
    for kind, text, call_id in _texts(entry):
        if text:
            yield Block(kind, text[:longest], timestamp, max(0, len(text) - longest), call_id)


def _texts(entry: Entry) -> Iterator[tuple[Kind, str, str]]:
    match entry:
        case Compacted():
            yield "note", "The conversation was compacted.", ""
        case EventEntry() if entry.name == "thread_rolled_back":
            turns = turns_of(entry)
            yield "note", f"{turns} turn{'' if turns == 1 else 's'} rolled back.", ""
        case ItemEntry(payload=item):
            yield from _item_texts(item)
        case _:
            pass


def _item_texts(item: JsonObject) -> Iterator[tuple[Kind, str, str]]:
    call_id = text_of(item, "call_id")
    match item.get("type"):
        case "message" if item.get("role") == "assistant":
            yield "assistant", text_of_item(item), ""
        case "message" if is_from_user(item):
            yield "user", text_of_item(item), ""
        case "reasoning":
            summary = item.get("summary")
            parts = summary if isinstance(summary, list) else []
            yield (
                "reasoning",
                "\n".join(text_of(part, "text") for part in parts if isinstance(part, dict)),
                "",
            )
        case "function_call":
            yield "call", f"{text_of(item, 'name')} {text_of(item, 'arguments')}", call_id
        case "custom_tool_call":
            yield "call", f"{text_of(item, 'name')} {text_of(item, 'input')}", call_id
        case "local_shell_call":
            yield "call", f"shell {json.dumps(item.get('action'))}", call_id
        case "web_search_call":
            yield "call", f"web_search {json.dumps(item.get('action'))}", call_id
        case "function_call_output" | "custom_tool_call_output":
            yield "output", _output_text(item.get("output")), call_id
        case _:
            pass


def _output_text(output: object) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, dict):  # Codex 2025: {content, success}
        return text_of(output, "content")
    if isinstance(output, list):
        return "\n".join(filter(None, (text_of(part, "text") for part in output if isinstance(part, dict))))
    return ""
