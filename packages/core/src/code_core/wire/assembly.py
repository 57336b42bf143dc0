"""Assembles a response from all the places where providers send its parts, using each part once.

The API sends every finished item as `response.output_item.done`. Some servers send it only
in the `output` of `response.completed`, some only as deltas, and some in several places with
different ids.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from code_core.errors import StreamBroken
from code_core.protocol.items import Message, OutputText, ResponseItem, ToolCall
from code_core.wire.response_items import is_answer, item_from_provider


@dataclass(slots=True, eq=False, repr=False)
class _Unfinished:
    """An item that has only arrived in pieces so far."""

    kind: str
    item_id: str | None
    added: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    whole: str | None = None

    @property
    def text(self) -> str:
        """Its text or arguments."""
        return "".join(self.pieces) if self.whole is None else self.whole


class Assembly:
    """Collects the items of one response."""

    def __init__(self) -> None:
        self._taken: list[ResponseItem] = []
        self._events: set[tuple[object, ...]] = set()
        self._unfinished: dict[object, _Unfinished] = {}

    @property
    def answered(self) -> bool:
        """Whether there is a message or a call."""
        return any(map(is_answer, self._taken))

    def added(self, event: dict[str, Any], item: dict[str, Any]) -> None:
        """Begin an item."""
        kind = item.get("type")
        if kind in {"message", "function_call"}:
            self._piece(event | {"item_id": item.get("id")}, kind).added = item

    def delta(self, event: dict[str, Any], kind: str, text: str) -> None:
        """Add a piece of a message's text or of a call's arguments."""
        self._piece(event, kind).pieces.append(text)

    def whole(self, event: dict[str, Any], kind: str, text: str) -> None:
        """Add the complete text or arguments of an item; a message has one such text for each part."""
        piece = self._piece(event, kind)
        if kind == "message" and piece.pieces:
            return
        piece.whole = (piece.whole or "") + text if kind == "message" else text

    def done(self, event: dict[str, Any], value: object) -> ResponseItem | None:
        """Return the finished item `value`, or None if its type is unknown or it was seen before.

        Raises:
            StreamBroken: it cannot be read.
        """
        item = item_from_provider(value)
        self._finish(event, value)
        if item is None:
            return None
        index = event.get("output_index")
        same = (index if isinstance(index, int) else None, _own_id(item), _call_id(item), *_content(item))
        if same in self._events:
            return None
        self._events.add(same)
        self._taken.append(item)
        return item

    def completed(self, output: object) -> list[ResponseItem]:
        """Return the items of `output`, and those assembled from pieces, that were not returned before.

        Raises:
            StreamBroken: an item cannot be read.
        """
        items: list[ResponseItem] = []
        for value in output if isinstance(output, list) else ():
            item = self._listed(value)
            self._finish({}, value)
            if item is not None:
                items.append(item)
        fresh = _without(items, self._taken)
        known = Counter(map(_content, (*self._taken, *fresh)))
        for piece in self._unfinished.values():
            item = _made_of(piece)
            if item is not None and not known[_content(item)]:
                fresh.append(item)
        self._taken += fresh
        return fresh

    def _listed(self, value: object) -> ResponseItem | None:
        """Return an item of the final list, or None for nothing and for a broken copy of one that was returned."""
        if value is None:
            return None
        try:
            return item_from_provider(value)
        except StreamBroken:
            ids = [value.get("id"), value.get("call_id")] if isinstance(value, dict) else []
            names = {name for name in ids if isinstance(name, str) and name}
            if names & {name for item in self._taken for name in (_own_id(item), _call_id(item))}:
                return None
            raise

    def _piece(self, event: dict[str, Any], kind: str) -> _Unfinished:
        index, item_id = event.get("output_index"), event.get("item_id")
        key = (kind, index if isinstance(index, int) else item_id if isinstance(item_id, str) else None)
        piece = self._unfinished.get(key)
        if piece is None:
            piece = _Unfinished(kind, item_id if isinstance(item_id, str) else None)
            self._unfinished[key] = piece
        return piece

    def _finish(self, event: dict[str, Any], value: object) -> None:
        """Drop the pieces of an item that has arrived complete."""
        if not isinstance(value, dict) or not self._unfinished:
            return
        kind, item_id, index = value.get("type"), value.get("id"), event.get("output_index")
        ids = {name for name in (item_id, value.get("call_id")) if isinstance(name, str)}
        self._unfinished = {
            key: piece
            for key, piece in self._unfinished.items()
            if not (
                piece.kind == kind
                and (piece.item_id in ids or (isinstance(index, int) and key == (kind, index)))
            )
        }


def _made_of(piece: _Unfinished) -> ResponseItem | None:
    if piece.kind == "message":
        text = piece.text or None
        return (
            None
            if text is None
            else Message(id=piece.item_id, role="assistant", content=[OutputText(text=text)])
        )
    if not isinstance(piece.added.get("name"), str):
        return None
    return item_from_provider(
        {**piece.added, "status": None, "arguments": piece.text or piece.added.get("arguments")}
    )


def _without(items: list[ResponseItem], taken: list[ResponseItem]) -> list[ResponseItem]:
    """`items` without those also in `taken`, matched once each by content, else call id, else id."""
    if not items or not taken:
        return items
    left = list(taken)
    for identity in (_content, _call_id, _id):
        known = Counter(key for item in left if (key := identity(item)) is not None)
        found: Counter[object] = Counter()
        rest: list[ResponseItem] = []
        for item in items:
            key = identity(item)
            if key is not None and found[key] < known[key]:
                found[key] += 1
            else:
                rest.append(item)
        items, left = rest, _less(left, found, identity)
    return items


def _less(
    items: list[ResponseItem], found: Counter[object], identity: Callable[[ResponseItem], object]
) -> list[ResponseItem]:
    rest: list[ResponseItem] = []
    for item in items:
        if found[key := identity(item)]:
            found[key] -= 1
        else:
            rest.append(item)
    return rest


def _call_id(item: ResponseItem) -> object:
    return (item.call_id or None) if isinstance(item, ToolCall) else None


def _own_id(item: ResponseItem) -> object:
    return getattr(item, "id", None)


def _id(item: ResponseItem) -> object:
    item_id = _own_id(item)
    return (item.type, item_id) if item_id else None


def _content(item: ResponseItem) -> tuple[str, str]:
    """The content of an item, without its ids."""
    match item:
        case Message():
            content = item.text.strip()
        case _:
            content = item.model_dump_json(exclude={"id", "call_id", "status"})
    return item.type, content
