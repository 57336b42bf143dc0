import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.store import lines
from code_core.store.entries import EventEntry, ItemEntry, Line, UnknownEntry
from code_core.store.lines import BadLine, decode, encode, glance

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=4)
kinds = st.sampled_from(
    ["session_meta", "response_item", "compacted", "turn_context", "event_msg", "event", "newer"]
)


@given(kinds, objects, objects)
def test_every_field_survives_a_round_trip(
    kind: str, payload: dict[str, object], extra: dict[str, object]
) -> None:
    fields = extra | {"timestamp": "2026-01-01T00:00:00.000Z", "type": kind, "payload": payload}
    line = decode(json.dumps(fields).encode())
    assert line.type == kind
    data = encode(line)
    assert data.count(b"\n") == 1
    assert json.loads(data) == fields
    assert decode(data) == line


@given(kinds, objects, st.none() | st.integers(0, 10**9))
def test_a_glance_agrees_with_decoding(kind: str, payload: dict[str, object], ordinal: int | None) -> None:
    extra = None if ordinal is None else {"ordinal": ordinal, "other": 1}
    data = encode(
        Line(UnknownEntry({"type": "some_event"} | payload, kind), "2026-01-01T00:00:00.000Z", extra)
    )
    seen = glance(data)
    if seen is not None:
        assert seen.type == decode(data).type
        assert seen.payload_type in {"", decode(data).entry.payload["type"]}


def test_a_glance_recognises_our_lines() -> None:
    stamp = "2026-01-01T00:00:00.000Z"
    assert glance(encode(Line(EventEntry.rolled_back(1), stamp))) == ("event_msg", "thread_rolled_back")
    assert glance(encode(Line(ItemEntry({"type": "message"}), stamp, {"ordinal": 7}))) == (
        "response_item",
        "message",
    )


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"\0\0", b'{"type":"x"}', b'{"payload":{}}'),
        *(b'{"type":1,"payload":{}}', b'{"type":"x","payload":[]}', b"[" * 100_000, b"1" * 10_000),
        '{"type":"x","payload":{}}'.encode("utf-16"),
    ],
)
def test_an_invalid_line_is_rejected(data: bytes) -> None:
    with pytest.raises(BadLine):
        decode(data)


def test_lone_surrogates_survive() -> None:
    line = Line(ItemEntry({"text": "a\ud800b ä"}))
    assert decode(encode(line)) == line


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, b"bytes"])
def test_values_that_json_cannot_express_are_rejected(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(Line(ItemEntry({"value": value})))


def test_a_line_too_long_for_readers_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    with pytest.raises(ValueError, match="more than"):
        encode(Line(ItemEntry({"text": "x" * 1000})))
