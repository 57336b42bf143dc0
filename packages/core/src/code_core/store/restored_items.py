"""Converts the history of a stored session to the engine's item types."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from code_core.protocol.items import ResponseItem
from code_core.store.entries import JsonObject


def response_items(stored: Sequence[JsonObject]) -> tuple[list[ResponseItem], tuple[str, ...]]:
    """Return the items in `stored`, and a note about those left out because they are damaged or unknown.

    Calls may lack results; the session's normaliser turns the items into a valid request.
    """
    adapter: TypeAdapter[ResponseItem] = TypeAdapter(ResponseItem)
    items: list[ResponseItem] = []
    left_out = 0
    for value in stored:
        try:
            items.append(adapter.validate_python(value))
        except ValidationError:
            left_out += 1
    if not left_out:
        return items, ()
    what = "1 item of the history was" if left_out == 1 else f"{left_out:,} items of the history were"
    return items, (f"{what} damaged or of an unknown type and left out",)
