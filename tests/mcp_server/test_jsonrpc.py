"""Lines as messages: who sent them, and whether somebody waits for them."""

import json

import pytest

from code_mcp_client.framing import Line, OversizeLine
from code_mcp_server.acp.peer import Peer
from code_mcp_server.jsonrpc import Code, Malformed, Request, RequestId, Response, encode, messages

MIB = 2**20


@pytest.mark.parametrize(
    ("line", "request_id", "code"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":', 7, Code.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":"s","method":"x","params":{"a":NaN}}', "s", Code.PARSE_ERROR),
        (b'{"id":7,"method":"x","params":' + b'{"a":' * 100_000, 7, Code.PARSE_ERROR),
        (OversizeLine(2**30, b'{"jsonrpc":"2.0","id":7,"method":"x",', b'"}}'), 7, Code.INVALID_REQUEST),
        (OversizeLine(2**30, b'{"method":"x","params":{"a":"', b'"},"id":7}'), 7, Code.INVALID_REQUEST),
        (b'{"id":7,"method":5}', 7, Code.INVALID_REQUEST),
        (b'{"id":7,"method":"x","params":[]}', 7, Code.INVALID_PARAMS),
        (b'[{"id":7,"method":"x"}]', None, Code.INVALID_REQUEST),
    ],
)
def test_errors_in_a_request_are_reported_under_its_id(line: Line, request_id: RequestId, code: Code) -> None:
    (found,) = messages(line, MIB)
    assert isinstance(found, Malformed)
    assert (found.id, found.error.code, found.is_answer) == (request_id, code, False)


def test_a_batch_is_several_messages_if_batches_are_supported() -> None:
    both = messages(b'[{"id":1,"method":"a"},{"id":2,"result":{}}]', MIB, batches=True)
    assert both == [Request(1, "a"), Response(2, {})]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'\xef\xbb\xbf{"id":1,"method":"m","params":{"t":"x"}}', "x"),
        (b'{"id":1,"method":"m","params":{"t":"a\xffb"}}', "a\ufffdb"),
        (b'{"id":1,"method":"m","params":{"t":"a\\ud800b"}}', "a\ufffdb"),
        (b'{"id":1,"method":"m","params":{"t":"\\ud83d\\ude00"}}', "\U0001f600"),
        (b'{"id":1,"method":"m","params":{"t":"C:\\\\udd00"}}', "C:\\udd00"),
    ],
)
def test_invalid_unicode_is_repaired(line: bytes, text: str) -> None:
    assert messages(line, MIB) == [Request(1, "m", {"t": text})]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":5}',
        b'{"id":1,"method":"session/prompt","params":{"a":',
        OversizeLine(2**30, b'{"id":1,"method":"session/prompt"', b"}"),
    ],
)
def test_an_invalid_request_does_not_end_a_question_with_the_same_id(line: Line) -> None:
    peer = Peer()
    question, _ = peer.request("session/request_permission", {})
    assert question == 1
    message, reply = peer.receive(line)
    assert message is None
    assert json.loads(reply)["id"] == 1
    assert peer.receive(b'{"id":1,"result":{}}')[0] == Response(1, {})


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":',
        OversizeLine(2**30, b'{"jsonrpc":"2.0","id":1,"result":"', b'"}'),
        b'{"jsonrpc":"2.0","id":1,"result":NaN}',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
    ],
)
def test_an_invalid_answer_ends_the_question(line: Line) -> None:
    peer = Peer()
    peer.request("session/request_permission", {})
    message, reply = peer.receive(line)
    assert isinstance(message, Response)
    assert message.error is not None
    assert reply == b""


def test_a_null_error_is_not_an_error() -> None:
    assert messages(b'{"id":1,"result":{"a":1},"error":null}', MIB) == [Response(1, {"a": 1})]


def test_a_line_is_ascii_whatever_its_text() -> None:
    line = encode(Response(1, {"text": "é\ud800\n"}))
    assert line.isascii()
    assert line.count(b"\n") == 1
