"""One line to JSON-RPC messages, and messages to lines. No IO.

Format: JSON-RPC 2.0 as MCP's stdio transport frames it, one message per line,
batches included (revision 2025-03-26 has them). Lines that are no message are
told apart: noise, which a server printed by mistake, and lost messages, which
somebody may be waiting for.
"""

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

RequestId = int | str

_GC_PAUSE_ABOVE = 256 * 1024
_EXCERPT = 200
_BOM = b"\xef\xbb\xbf"
_NO_RESULT = object()

# Every escape of a JSON text from left to right, so that `\\ud800` in a path stays what it is.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# The `id` of a message can only be trusted where it cannot be inside the result: as one of
# the first members, or as one of the last before the closing brace.
_JSONRPC = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(?:(?P<number>-?\d{1,18})|"(?P<text>[^"\\]{0,200})")'
_FIRST_ID = re.compile(rb"\s*\{\s*(?:" + _JSONRPC + rb"\s*,\s*)?" + _ID + rb"\s*,")
_LAST_ID = re.compile(rb",\s*" + _ID + rb"\s*(?:,\s*" + _JSONRPC + rb"\s*)?\}\s*\Z")
_METHOD_FIRST = re.compile(rb"\s*\{\s*(?:" + _JSONRPC + rb'\s*,\s*)?"method"\s*:')
_LOOKS_LIKE_MESSAGE = re.compile(rb"\s*[\[{].{0,400}?" + _JSONRPC, re.DOTALL)
_ONE_MEMBER_OF_MANY = re.compile(rb"\s*\{?\s*" + _JSONRPC + rb"\s*,?\s*\}?\s*\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """The server asks the client for something."""

    id: RequestId
    method: str
    params: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Notification:
    """The server tells something: `method` and `params` as on the wire, unchecked."""

    method: str
    params: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    id: RequestId
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is an error; without an id the server could not read what it answers."""

    id: RequestId | None
    code: int
    message: str
    data: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """Something a request may be waiting for, but not usable.

    Attributes:
        id: the request it would have answered; None when that cannot be told.
        why: what is wrong with it, for the error.
    """

    id: RequestId | None
    why: str


@dataclass(frozen=True, slots=True)
class Noise:
    """A line that has nothing to do with the protocol; its beginning."""

    excerpt: str


Message = Request | Notification | Response | Failure | Lost | Noise


def decode_line(line: bytes | bytearray) -> list[Message]:
    """The messages on a line: one, several for a batch, none for an empty line."""
    if not line or line.isspace():
        return []
    try:
        with _gc_paused(len(line) > _GC_PAUSE_ABOVE):
            value = parse_json(line)
    except (ValueError, RecursionError) as error:
        return [_unparsable(line, error)]
    if isinstance(value, list):
        return [_classify(each) for each in value] or [Noise("[]")]
    return [_classify(value)]


def lost_line(head: bytes, tail: bytes, why: str) -> Lost | Noise:
    """What is known of a message of which only the ends were kept."""
    if _METHOD_FIRST.match(head):
        return Noise(_excerpt(head))  # a notification or a request: nobody here waits for it
    return Lost(find_id(head, tail), why)


def encode_request(request_id: RequestId, method: str, params: Mapping[str, Any] | None) -> bytes:
    """A request's line. `params` are left out when there are none: JSON-RPC has no null there."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params:
        message["params"] = params
    return to_json(message) + b"\n"


def encode_notification(method: str, params: Mapping[str, Any] | None) -> bytes:
    """A notification's line."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return to_json(message) + b"\n"


def encode_response(request_id: RequestId, result: Mapping[str, Any]) -> bytes:
    """The line of an answer to the server."""
    return to_json({"jsonrpc": "2.0", "id": request_id, "result": result}) + b"\n"


def encode_failure(request_id: RequestId, code: int, message: str, data: Any = None) -> bytes:
    """The line of a refusal to the server."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return to_json({"jsonrpc": "2.0", "id": request_id, "error": error}) + b"\n"


def parse_json(line: bytes | bytearray) -> Any:
    """The value of a JSON text; a byte order mark, invalid UTF-8 and lone surrogates are repaired.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return from_json(line)
    except ValueError as error:
        # A line that is not JSON at all is not worth repairing, and most noise is not.
        if line.lstrip(_BOM + b" \t\r")[:1] not in (b"{", b"["):
            raise ValueError(str(error)) from None
    text = line.removeprefix(_BOM).decode("utf-8", "replace")
    text = _ESCAPE.sub(lambda match: "\\ufffd" if match["lone"] else match[0], text)
    return json.loads(text)  # the repair done, and deeper nesting than `from_json` allows


def _classify(value: Any) -> Message:
    match value:
        case {"method": str(method), "id": int() | str() as request_id} if not isinstance(request_id, bool):
            return Request(request_id, method, _object_or_none(value.get("params")))
        case {"method": str(method)} if "id" not in value:
            return Notification(method, _object_or_none(value.get("params")))
        case {"result": dict(result), "id": int() | str() as request_id} if not isinstance(request_id, bool):
            return Response(request_id, result)
        case {
            "error": {"code": int(code), "message": str(message), **rest},
            "id": int() | str() | None as request_id,
        }:
            return Failure(request_id, code, message, rest.get("data"))
        case {"jsonrpc": "2.0", "id": int() | str() as request_id}:
            return Lost(request_id, "it has neither a result object nor an error with code and message")
        case _:
            return Noise(repr(value)[:_EXCERPT])


def _object_or_none(params: Any) -> dict[str, Any] | None:
    return params if isinstance(params, dict) else None


def _unparsable(line: bytes | bytearray, error: Exception) -> Lost | Noise:
    if _ONE_MEMBER_OF_MANY.match(line):
        return Lost(
            None, "the server spreads JSON over several lines; MCP over stdio has one message per line"
        )
    if _LOOKS_LIKE_MESSAGE.match(line):
        return lost_line(bytes(line[:512]), bytes(line[-512:]), f"it is not valid JSON: {error}")
    return Noise(_excerpt(line))


def find_id(head: bytes, tail: bytes) -> RequestId | None:
    """The id of a message of which only the ends are known; None where it cannot be told for certain."""
    found = _FIRST_ID.match(head) or _LAST_ID.search(tail)
    if found is None:
        return None
    return int(found["number"]) if found["number"] is not None else found["text"].decode("utf-8", "replace")


def _excerpt(line: bytes | bytearray) -> str:
    return bytes(line[:_EXCERPT]).decode("utf-8", "replace")


@contextmanager
def _gc_paused(worth_it: bool) -> Iterator[None]:
    """No collection meanwhile: it would walk the growing result again and again, and find nothing."""
    if not worth_it or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
