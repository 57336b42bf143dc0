"""Bounds one response, however a server divides it into events."""

from code_core.errors import RequestRefused
from code_core.protocol.items import CustomToolCall, FunctionCall, Message
from code_core.wire.response_events import ItemDone, Piece, ResponseEvent

MOST_ITEMS = 10_000
MOST_CHARACTERS = 16 * 2**20
"""Limit on the text and the arguments of a response; no model's output limit is near it."""


class ResponseBounds:
    """Counts what a response contains."""

    def __init__(self) -> None:
        self._items = 0
        self._streamed = 0
        self._finished = 0

    def check(self, event: ResponseEvent) -> None:
        """Count the next event of the response.

        Raises:
            RequestRefused: the response is larger than any that a model gives.
        """
        match event:
            case ItemDone(item=item):
                self._items += 1
                self._finished += _size(item)
            case _ if isinstance(event, Piece):
                self._streamed += len(event.delta)
            case _:
                return
        if self._items > MOST_ITEMS:
            raise RequestRefused(f"the response has more than {MOST_ITEMS:,} items", code="provider")
        if max(self._streamed, self._finished) > MOST_CHARACTERS:
            raise RequestRefused(
                f"the response has more than {MOST_CHARACTERS:,} characters", code="provider"
            )


def _size(item: object) -> int:
    match item:
        case Message(text=text) | FunctionCall(arguments=text) | CustomToolCall(input=text):
            return len(text)
        case _:
            return 0
