import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.wire.arguments import sendable_arguments


@pytest.mark.parametrize(
    "text", ["{}", '{"a": 1}', ' {"a":1.0e3}\n', '{"a":"\\u00e9","a":2}', '{"a":"é\\n"}']
)
def test_a_json_object_is_not_changed(text: str) -> None:
    assert sendable_arguments(text) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", "{}"),
        ('{"command": ["bash', "{}"),
        ("null", "{}"),
        ("[1]", "{}"),
        ('"x"', "{}"),
        ('{"a": 1}{"b": 2}', "{}"),
        ("[" * 100_000, "{}"),
        ("[NaN]", "{}"),
        (
            '{"a": NaN, "b": [Infinity, {"c": -Infinity}], "d": 1.5}',
            '{"a": null, "b": [null, {"c": null}], "d": 1.5}',
        ),
        (
            '{"a": "\\ud83d", "\\ude00": "é"}',
            '{"a": "\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}": "é"}',
        ),
    ],
)
def test_anything_else_is_replaced_by_the_closest_json_object(text: str, sent: str) -> None:
    assert sendable_arguments(text) == sent


@given(
    st.text()
    | st.recursive(st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)
)
def test_any_text_becomes_a_strict_json_object(text: str) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    sent = sendable_arguments(text)
    sent.encode()
    assert isinstance(json.loads(sent, parse_constant=refuse), dict)
    assert sendable_arguments(sent) == sent
