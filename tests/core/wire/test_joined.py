"""Pieces of a text that arrive together are passed on together."""

from collections.abc import Iterator
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.errors import StreamBroken
from code_core.protocol.events import EventOrder
from code_core.wire.response_events import (
    LONGEST_JOINED,
    Created,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
    joined,
)


def event_order(index: int, number: int | None = None) -> EventOrder:
    return EventOrder(request_ordinal=1, output_index=index, sequence_number=number)


def text_of(event: ResponseEvent) -> object:
    order = getattr(event, "order", None)
    return type(event), order and order.output_index, getattr(event, "item_id", None)


PIECES = st.one_of(
    st.builds(
        TextDelta,
        st.text(max_size=9),
        st.builds(event_order, st.integers(0, 1)),
        st.sampled_from(["a", None]),
    ),
    st.builds(ReasoningSummaryDelta, st.text(max_size=9), st.builds(event_order, st.integers(0, 1))),
    st.builds(ReasoningTextDelta, st.text(max_size=9)),
    st.builds(Created),
)


def content(events: list[ResponseEvent]) -> list[tuple[object, str]]:
    """The runs of each text, and what is not text, one by one."""
    runs: list[tuple[object, str]] = []
    for key, group in groupby(
        enumerate(events), lambda one: (text_of(one[1]), isinstance(one[1], Created) and one[0])
    ):
        runs.append((key[0], "".join(getattr(event, "delta", "") for _, event in group)))
    return runs


@given(st.lists(PIECES, max_size=30))
def test_nothing_is_lost_and_the_order_stays(events: list[ResponseEvent]) -> None:
    result = [*joined(events)]
    assert content(result) == content(events)
    assert all(text_of(one) != text_of(other) or isinstance(one, Created) for one, other in pairwise(result))


def test_a_joined_piece_has_the_index_of_the_first_one() -> None:
    pieces = [TextDelta("a", event_order(0, 4), "i"), TextDelta("b", event_order(0, 5), "i")]
    assert [*joined(pieces)] == [TextDelta("ab", event_order(0, 4), "i")]


def test_a_joined_piece_grows_to_a_limit() -> None:
    lengths = [
        len(event.delta) for event in joined([TextDelta("x" * 1_000)] * 100) if isinstance(event, TextDelta)
    ]
    assert sum(lengths) == 100_000
    assert max(lengths) < LONGEST_JOINED + 1_000


def test_a_joined_piece_ends_with_the_piece_that_reaches_the_limit() -> None:
    lengths = [
        len(event.delta)
        for event in joined([TextDelta("x")] * (2 * LONGEST_JOINED + 1))
        if isinstance(event, TextDelta)
    ]
    assert lengths == [LONGEST_JOINED, LONGEST_JOINED, 1]


def test_an_error_comes_after_what_preceded_it() -> None:
    def broken() -> Iterator[ResponseEvent]:
        yield TextDelta("a")
        yield TextDelta("b")
        raise StreamBroken("broken")

    result = joined(broken())
    assert next(result) == TextDelta("ab")
    with pytest.raises(StreamBroken):
        next(result)
