"""The history of a stored session as the items that the engine works with."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from code_core.protocol.items import ResponseItem
from code_core.store.entries import JsonObject


def response_items(stored: Sequence[JsonObject]) -> tuple[list[ResponseItem], tuple[str, ...]]:
    """The items that `stored` stands for, and a note on those that are damaged or unknown, which are left out.

    The calls among them may lack results; the session's normaliser makes a valid request of them.
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
