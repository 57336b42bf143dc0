import gc
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_mcp_client.messages import (
    Failure,
    Lost,
    Message,
    Noise,
    Notification,
    Request,
    Response,
    decode_line,
    encode_failure,
    encode_notification,
    encode_request,
    encode_response,
    lost_line,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
ids = st.integers(-(2**53), 2**53) | st.text(max_size=20)


@given(ids, st.text(max_size=20), objects)
def test_encoded_messages_are_decoded_unchanged(
    request_id: int | str, method: str, params: dict[str, Any]
) -> None:
    def only(line: bytes) -> Message:
        assert line.count(b"\n") == 1
        [message] = decode_line(line.removesuffix(b"\n"))
        return message

    assert only(encode_request(request_id, method, params)) == Request(request_id, method, params or None)
    assert only(encode_notification(method, params)) == Notification(method, params)
    assert only(encode_response(request_id, params)) == Response(request_id, params)
    assert only(encode_failure(request_id, -1, method, params)) == Failure(request_id, -1, method, params)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_decoded(line: bytes) -> None:
    for message in decode_line(line):
        assert isinstance(message, Message)


@given(objects)
def test_any_json_object_can_be_decoded(value: dict[str, Any]) -> None:
    assert len(decode_line(json.dumps(value).encode())) == 1


DEEP = b"[" * 400 + b"]" * 400


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", []),
        (b" \r", []),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}\r', [Response(1, {})]),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}', [Response(1, {})]),
        (b'{"id":1,"result":{"t":"\xff\xfe"}}', [Response(1, {"t": "\ufffd\ufffd"})]),
        (rb'{"id":1,"result":{"t":"\ud83d!"}}', [Response(1, {"t": "\ufffd!"})]),
        (rb'{"id":1,"result":{"t":"\ude00\ud83d\ude00"}}', [Response(1, {"t": "\ufffd\U0001f600"})]),
        (rb'{"id":1,"result":{"t":"\\ud83d \ud83d"}}', [Response(1, {"t": "\\ud83d \ufffd"})]),
        (b'{"id":"a","result":{}}', [Response("a", {})]),
        (b'[{"id":1,"result":{}},{"method":"m"}]', [Response(1, {}), Notification("m", None)]),
        (b'{"method":"m","id":3,"params":[1]}', [Request(3, "m", None)]),
        (b'{"id":null,"error":{"code":-1,"message":"m"}}', [Failure(None, -1, "m", None)]),
        (b'{"id":2,"error":{"code":-1,"message":"m","data":[1]}}', [Failure(2, -1, "m", [1])]),
        (b'{"level":"info","msg":"started"}', [Noise("{'level': 'info', 'msg': 'started'}")]),
        (b"listening on port 80", [Noise("listening on port 80")]),
        (b"[]", [Noise("[]")]),
        (b"42", [Noise("42")]),
    ],
)
def test_lines_and_their_messages(line: bytes, expected: list[Message]) -> None:
    assert decode_line(line) == expected


def test_nesting_that_the_fast_parser_refuses_is_read() -> None:
    [message] = decode_line(b'{"id":1,"result":{"deep":' + DEEP + b"}}")
    assert isinstance(message, Response)


def test_nesting_too_deep_for_any_parser_fails_its_request() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    [message] = decode_line(b'{"jsonrpc":"2.0","id":1,"result":{"deep":' + deep + b"}}")
    assert isinstance(message, Lost)
    assert message.id == 1


def test_nan_is_accepted_because_python_servers_write_it() -> None:
    [message] = decode_line(b'{"id":1,"result":{"x":NaN}}')
    assert isinstance(message, Response)
    assert math.isnan(message.result["x"])


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"cut', 7),
        (b'{"id":"seven","jsonrpc":"2.0","result":{"cut', "seven"),
        (b'{"result":{"cut"},"jsonrpc":"2.0","id":7}', 7),
        (b'{"jsonrpc":"2.0","result":{"id":8},}', None),
        (b'{"jsonrpc":"2.0","id":7}', 7),
        (b'{"jsonrpc":"2.0","id":7,"result":"no object"}', 7),
        (b'  "jsonrpc": "2.0",', None),
        (b'{ "jsonrpc": "2.0",', None),
    ],
)
def test_an_invalid_message_names_the_request_that_it_would_have_answered(
    line: bytes, identifier: int | str | None
) -> None:
    [message] = decode_line(line)
    assert isinstance(message, Lost)
    assert message.id == identifier


@pytest.mark.parametrize(
    ("head", "tail", "identifier"),
    [
        (b'{"jsonrpc":"2.0","id":5,"result":{"content":', b"}}", 5),
        (b'{"result":{"content":', b'"}]},"jsonrpc":"2.0","id":5}', 5),
        (b'{"result":{"content":', b'"}]},"id":5,"jsonrpc":"2.0"}', 5),
        (b'{"result":{"id":5,"content":', b'"}],"id":5}}', None),
    ],
)
def test_the_ends_of_a_message_show_which_request_it_answers(
    head: bytes, tail: bytes, identifier: int | None
) -> None:
    assert lost_line(head, tail, "too long") == Lost(identifier, "too long")


def test_a_lost_notification_fails_no_request() -> None:
    assert isinstance(lost_line(b'{"jsonrpc":"2.0","method":"x","params":', b"}}", "too long"), Noise)


def test_the_collector_runs_again_after_a_large_message() -> None:
    line = b'{"id":1,"result":{"x":"' + b"x" * 300_000 + b'"}}'
    assert decode_line(line)
    assert decode_line(line[:-1])
    assert gc.isenabled()
