"""What a newer version wrote passes through this one unchanged."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from code_core.protocol.events import WarningEvent, parse_event
from code_core.protocol.items import Message, ResponseItem, UnknownItem
from code_core.protocol.ops import UserInput, parse_op
from code_core.protocol.session_events import UnknownEvent

NEWER = {"type": "hologram_shown", "size": [1, {"deep": None}], "nothing": None, "text": "\u00e9"}


def test_an_event_of_an_unknown_type_keeps_all_its_fields() -> None:
    line = json.dumps({"id": "7", "event_seq": 3, "msg": NEWER})
    event = parse_event(line)
    assert isinstance(event.msg, UnknownEvent)
    assert event.msg.raw()["type"] == "hologram_shown"
    assert json.loads(event.to_json()) == json.loads(line)
    assert parse_event(event.to_json()) == event


def test_an_item_of_an_unknown_type_keeps_all_its_fields() -> None:
    items: TypeAdapter[ResponseItem] = TypeAdapter(ResponseItem)
    item = items.validate_python(NEWER)
    assert isinstance(item, UnknownItem)
    assert item.model_dump(mode="json", exclude_none=True) == NEWER
    assert items.validate_json(items.dump_json(item)) == item


def test_known_types_are_unaffected() -> None:
    event = parse_event('{"id": "1", "event_seq": 0, "msg": {"type": "warning", "message": "m", "new": 1}}')
    assert event.msg == WarningEvent(message="m")
    item = TypeAdapter(ResponseItem).validate_python({"type": "message", "role": "user", "content": []})
    assert item == Message(role="user", content=[])


@pytest.mark.parametrize(
    "msg",
    [
        '{"type": "warning"}',
        "{}",
        '{"type": 1}',
        "null",
        "[]",
        '"warning"',
        '{"type": "warning", "message": 1}',
    ],
)
def test_an_invalid_event_is_an_error(msg: str) -> None:
    with pytest.raises(ValidationError):
        parse_event(f'{{"id": "1", "event_seq": 0, "msg": {msg}}}')


def test_a_known_op_is_parsed_and_an_unknown_one_rejected() -> None:
    op = parse_op('{"type": "user_input", "items": [{"type": "text", "text": "hi"}], "id": "mine"}')
    assert isinstance(op, UserInput)
    assert op.id == "mine"
    with pytest.raises(ValidationError):
        parse_op('{"type": "hologram"}')
