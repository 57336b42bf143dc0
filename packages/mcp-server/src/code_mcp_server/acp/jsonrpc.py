"""JSON-RPC 2.0 as ACP uses it: bytes to messages and back. No IO, no state.

ACP has no batches: an array is one invalid request. Source: JSON-RPC 2.0; ACP 1, "Transports".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

JsonObject = dict[str, Any]
RequestId = int | str | None


class Code(IntEnum):
    """The error codes that we send."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    AUTH_REQUIRED = -32000
    NOT_FOUND = -32002
    CANCELLED = -32800


class RpcError(Exception):
    """An error as the answer to a request, ours or the client's.

    Attributes:
        code: one of `Code`, or what the client sent.
        data: details for programs; None for none.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def to_json(self) -> JsonObject:
        """The error object of a response."""
        error = {"code": int(self.code), "message": str(self)}
        return error if self.data is None else {**error, "data": self.data}


@dataclass(frozen=True, slots=True)
class Request:
    """The other side wants an answer."""

    id: RequestId
    method: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """The other side tells us something."""

    method: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request of ours; `error` is None where there is a result."""

    id: RequestId
    result: Any = None
    error: RpcError | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is not a message; `id` is for the answer, if one could be read."""

    id: RequestId
    error: RpcError


Message = Request | Notification | Response | Malformed


def parse(line: bytes | bytearray) -> Message | None:
    """The message that a line spells; None for a blank line."""
    if not line.strip():
        return None
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and numbers of 5,000 digits are `ValueError`s
        return Malformed(None, RpcError(Code.PARSE_ERROR, f"the line is not JSON: {_reason(error)}"))
    if not isinstance(value, dict):
        what = "a batch" if isinstance(value, list) else "a bare value"
        return Malformed(None, _invalid(f"one object per line is expected, not {what}"))
    return _message(value)


def _message(value: JsonObject) -> Message:
    request_id = value.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        return Malformed(None, _invalid("the id must be an integer or a string"))
    if "method" not in value:
        return _response(request_id, value)
    method, params = value["method"], value.get("params")
    if not isinstance(method, str):
        return Malformed(request_id, _invalid("the method must be a string"))
    if params is None:
        params = {}
    if not isinstance(params, dict):
        if "id" not in value:
            return Notification(method)
        return Malformed(
            request_id, RpcError(Code.INVALID_PARAMS, f"{method[:80]}: params must be an object")
        )
    return Request(request_id, method, params) if "id" in value else Notification(method, params)


def _response(request_id: RequestId, value: JsonObject) -> Message:
    if "result" in value:
        return Response(request_id, value["result"])
    match value.get("error"):
        case {"code": int(code), "message": str(message), **more}:
            return Response(request_id, error=RpcError(code, message[:2000], more.get("data")))
        case dict() | str() | int():
            return Response(
                request_id, error=RpcError(Code.INTERNAL_ERROR, "the answer is a malformed error")
            )
        case _:
            return Malformed(request_id, _invalid("an object has a method, a result or an error"))


def encode(message: Request | Notification | Response) -> bytes:
    """The line of a message, in ASCII with its line feed: any text can be sent, lone surrogates too."""
    value: JsonObject = {"jsonrpc": "2.0"}
    match message:
        case Request():
            value |= {"id": message.id, "method": message.method, "params": message.params}
        case Notification():
            value |= {"method": message.method, "params": message.params}
        case Response(error=RpcError() as error):
            value |= {"id": message.id, "error": error.to_json()}
        case Response():
            value |= {"id": message.id, "result": message.result}
    return _encoder(value).encode("ascii") + b"\n"


_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def text_in(params: Mapping[str, Any], name: str, longest: int = 32_768) -> str:
    """The text at `name`.

    Raises:
        RpcError: it is missing, or too long.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise RpcError(Code.INVALID_PARAMS, f"{name} must be a non-empty string")
    if len(value) > longest:
        raise RpcError(Code.INVALID_PARAMS, f"{name} is longer than {longest:,} characters")
    return value


def _invalid(text: str) -> RpcError:
    return RpcError(Code.INVALID_REQUEST, text)


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
