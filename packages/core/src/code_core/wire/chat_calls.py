"""Assembles the tool calls of a Chat Completions stream.

The API sends a call in pieces with the same `index`: id and name first, then the arguments bit
by bit. Some servers omit the index or the id, give every call index 0, repeat the name in each
piece, or send the same call under several indexes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from code_core.errors import StreamBroken

_LONGEST_NAME = 256


@dataclass(slots=True)
class _Call:
    """A call as received so far; `output_index` is its position in the response."""

    output_index: int
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    whole: str = ""

    def add_name(self, name: str) -> None:
        """Add a name or its next piece; a name repeated with the arguments counts once."""
        if not self.pieces and name != self.name and len(self.name) < _LONGEST_NAME:
            self.name += name

    def begins_anew(self, call_id: str, name: str, arguments: str) -> bool:
        """Whether a piece with this call's index begins another call."""
        if not name:
            return False
        if call_id and self.call_id and call_id != self.call_id:
            return arguments[:1] in {"", "{"}
        return bool(self.pieces) and self.pieces[-1].endswith("}") and arguments.startswith("{")


class CallAssembly:
    """Collects the calls of one response.

    Args:
        next_index: returns the output index for an item that begins now.
    """

    def __init__(self, next_index: Callable[[], int]) -> None:
        self._next_index = next_index
        self._calls: list[_Call] = []
        self._by_index: dict[int | str, _Call] = {}
        self._by_id: dict[str, _Call] = {}

    def add(self, piece: object) -> None:
        """Add an entry of `tool_calls` or the older `function_call`; anything but an object is ignored."""
        if not isinstance(piece, dict):
            return
        function = piece.get("function")
        if not isinstance(function, dict):
            function = piece
        call_id, name = _text(piece.get("id")), function.get("name")
        arguments = _arguments(function.get("arguments"))
        name = name if isinstance(name, str) else ""
        call = self._target(_index(piece.get("index")), call_id, name, arguments)
        call.call_id = call.call_id or call_id
        if call.call_id:
            self._by_id.setdefault(call.call_id, call)
        call.add_name(name)
        if arguments:
            call.pieces.append(arguments)

    def finished(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the calls with their output indexes, as Responses API items.

        Raises:
            StreamBroken: a call has no name; skipping it would leave its work undone.
        """
        calls: list[_Call] = []
        by_id: dict[str, _Call] = {}
        for call in self._calls:
            call.whole = "".join(call.pieces)
            before = calls[-1] if calls else None
            if not call.name:
                if not call.whole:
                    continue
                if before is None or before.whole:
                    raise StreamBroken("the provider sent a call without a name")
                before.whole = call.whole
                continue
            twin = by_id.setdefault(call.call_id, call) if call.call_id else call
            if twin is not call and twin.name == call.name and twin.whole in {"", call.whole}:
                twin.whole = call.whole
            elif twin is call or twin.name != call.name or call.whole:
                calls.append(call)
        return [
            (
                call.output_index,
                {
                    "type": "function_call",
                    "name": call.name,
                    "arguments": call.whole or "{}",
                    "call_id": call.call_id,
                },
            )
            for call in calls
        ]

    def _target(self, index: int | str | None, call_id: str, name: str, arguments: str) -> _Call:
        """The call that a piece belongs to."""
        if index is not None:
            known = self._by_index.get(index)
        else:
            known = self._by_id.get(call_id) if call_id else None
            if known is None and not name and self._calls:
                known = self._calls[-1]
        if known is not None and not known.begins_anew(call_id, name, arguments):
            return known
        call = _Call(self._next_index())
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call


def _index(value: object) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    """The piece of arguments; an object, which some servers send, is converted to JSON.

    An empty object says nothing: pieces of text may follow it.
    """
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return value if isinstance(value, str) else ""
