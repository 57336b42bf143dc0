import pytest

from code_core.errors import RequestRefused
from code_core.protocol.items import CustomToolCall, FunctionCall, Message, OutputText
from code_core.wire import response_bounds as module
from code_core.wire.response_bounds import ResponseBounds
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
)

MESSAGE = Message(role="assistant", content=[OutputText(text="xxxx")])
FULL: list[ResponseEvent] = [
    TextDelta("xxxx"),
    ReasoningSummaryDelta("xxxx"),
    ReasoningTextDelta("xxxx"),
    ItemDone(MESSAGE),
    ItemDone(FunctionCall(call_id="c", name="n", arguments="xxxx")),
    ItemDone(CustomToolCall(call_id="c", name="n", input="xxxx")),
]


@pytest.mark.parametrize("event", FULL, ids=lambda event: type(event).__name__)
def test_the_characters_of_a_response_are_bounded(
    event: ResponseEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CHARACTERS", 8)
    bounds = ResponseBounds()
    bounds.check(event)
    bounds.check(event)
    bounds.check(Created())
    bounds.check(Completed("r", None))
    with pytest.raises(RequestRefused, match="more than 8 characters") as caught:
        bounds.check(event)
    assert caught.value.code == "provider"


def test_an_item_repeats_what_its_deltas_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHARACTERS", 4)
    bounds = ResponseBounds()
    bounds.check(TextDelta("xxxx"))
    bounds.check(ItemDone(MESSAGE))


def test_the_items_of_a_response_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ITEMS", 2)
    bounds = ResponseBounds()
    bounds.check(ItemDone(MESSAGE))
    bounds.check(ItemDone(MESSAGE))
    with pytest.raises(RequestRefused, match="more than 2 items"):
        bounds.check(ItemDone(MESSAGE))
