"""Converts lines to JSON-RPC messages and back. No IO.

Format: JSON-RPC 2.0 as framed by MCP's stdio transport, one message per line, including batches
(revision 2025-03-26). Lines that are not messages are either noise, which a server printed by
mistake, or lost messages, for which a request may be waiting.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from code_mcp_client.garbage import collection_paused

RequestId = int | str

_GC_PAUSE_ABOVE = 256 * 1024
_EXCERPT = 200
_BOM = b"\xef\xbb\xbf"
_NO_RESULT = object()

# Matches what may be an escaped surrogate, in a pair or alone. It begins with a literal, and matches no other escape,
# because a long text may have millions of those.
_SURROGATE = re.compile(
    r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?P<low>\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})"
)
_REPLACEMENT = "\\ufffd"
# The `id` of a message is reliable only where it cannot be inside the result: as one of the first
# members, or as one of the last before the closing brace.
_JSONRPC = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(?:(?P<number>-?\d{1,18})|"(?P<text>[^"\\]{0,200})")'
_FIRST_ID = re.compile(rb"\s*\{\s*(?:" + _JSONRPC + rb"\s*,\s*)?" + _ID + rb"\s*,")
_LAST_ID = re.compile(rb",\s*" + _ID + rb"\s*(?:,\s*" + _JSONRPC + rb"\s*)?\}\s*\Z")
_METHOD_FIRST = re.compile(rb"\s*\{\s*(?:" + _JSONRPC + rb'\s*,\s*)?"method"\s*:')
_LOOKS_LIKE_MESSAGE = re.compile(rb"\s*[\[{].{0,400}?" + _JSONRPC, re.DOTALL)
_ONE_MEMBER_OF_MANY = re.compile(rb"\s*\{?\s*" + _JSONRPC + rb"\s*,?\s*\}?\s*\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """A request from the server."""

    id: RequestId
    method: str
    params: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification from the server: `method` and `params` as received, unvalidated."""

    method: str
    params: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    id: RequestId
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer; without an id, the server could not read the message it answers."""

    id: RequestId | None
    code: int
    message: str
    data: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """An unusable message for which a request may be waiting.

    Attributes:
        id: the request that it would have answered; None if unknown.
        why: what is wrong with it, for the error.
    """

    id: RequestId | None
    why: str


@dataclass(frozen=True, slots=True)
class Noise:
    """The beginning of a line that is unrelated to the protocol."""

    excerpt: str


Message = Request | Notification | Response | Failure | Lost | Noise


def decode_line(line: bytes | bytearray) -> list[Message]:
    """Return the messages on a line: one, several for a batch, or none for an empty line."""
    if not line or line.isspace():
        return []
    try:
        with collection_paused(len(line) > _GC_PAUSE_ABOVE):
            value = parse_json(line)
    except (ValueError, RecursionError) as error:
        return [_unparsable(line, error)]
    if isinstance(value, list):
        return [_classify(each) for each in value] or [Noise("[]")]
    return [_classify(value)]


def lost_line(head: bytes, tail: bytes, why: str) -> Lost | Noise:
    """Return what is known of a message of which only the ends were kept."""
    if _METHOD_FIRST.match(head):
        return Noise(_excerpt(head))  # a notification or a request, so nothing is waiting for it
    return Lost(find_id(head, tail), why)


def encode_request(request_id: RequestId, method: str, params: Mapping[str, Any] | None) -> bytes:
    """Return the line of a request; empty `params` are omitted, because JSON-RPC does not allow null."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params:
        message["params"] = params
    return to_json(message) + b"\n"


def encode_notification(method: str, params: Mapping[str, Any] | None) -> bytes:
    """Return the line of a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return to_json(message) + b"\n"


def encode_response(request_id: RequestId, result: Mapping[str, Any]) -> bytes:
    """Return the line of an answer to the server."""
    return to_json({"jsonrpc": "2.0", "id": request_id, "result": result}) + b"\n"


def encode_failure(request_id: RequestId, code: int, message: str, data: Any = None) -> bytes:
    """Return the line of an error answer to the server."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return to_json({"jsonrpc": "2.0", "id": request_id, "error": error}) + b"\n"


def parse_json(line: bytes | bytearray) -> Any:
    """Parse JSON, repairing a byte order mark, invalid UTF-8 and lone surrogates.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return from_json(line)
    except ValueError as error:
        # A line that is not JSON at all, like most noise, is not worth repairing.
        if line.lstrip(_BOM + b" \t\r")[:1] not in (b"{", b"["):
            raise ValueError(str(error)) from None
    text = line.removeprefix(_BOM).decode("utf-8", "replace")
    text = _SURROGATE.sub(_repaired, text)
    return json.loads(text)  # repaired, and with deeper nesting than `from_json` allows


def _repaired(surrogate: re.Match[str]) -> str:
    """The escape itself if it is half of a pair, or text behind an escaped backslash; otherwise a replacement."""
    text, start = surrogate.string, surrogate.start()
    while start and text[start - 1] == "\\":
        start -= 1
    low = surrogate["low"]
    if (surrogate.start() - start) % 2:  # `\\ud800` is a backslash and letters
        return surrogate[0] if low is None else surrogate[0].removesuffix(low) + _REPLACEMENT
    return _REPLACEMENT if low is None else surrogate[0]


def _failure(request_id: int | str, error: Any) -> Failure:
    """What can be understood of an error that lacks a code or a message."""
    given = error if isinstance(error, dict) else {"message": error}
    code, message = given.get("code"), given.get("message")
    if not isinstance(message, str):
        message = to_json(error, inf_nan_mode="constants", fallback=str).decode("utf-8", "replace")
    return Failure(request_id, code if isinstance(code, int) else 0, message, given.get("data"))


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
        case {"error": error, "id": int() | str() as request_id} if error and not isinstance(
            request_id, bool
        ):
            return _failure(request_id, error)
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
    """Return the id of a message of which only the ends are known, or None if uncertain."""
    found = _FIRST_ID.match(head) or _LAST_ID.search(tail)
    if found is None:
        return None
    return int(found["number"]) if found["number"] is not None else found["text"].decode("utf-8", "replace")


def _excerpt(line: bytes | bytearray) -> str:
    return bytes(line[:_EXCERPT]).decode("utf-8", "replace")
