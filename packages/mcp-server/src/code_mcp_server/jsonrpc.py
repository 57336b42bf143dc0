"""JSON-RPC 2.0 over lines: converts bytes to messages and back. No IO, no state, and cheap to import.

Both protocols of this package use it. Batches exist only in MCP (revision 2025-03-26); in ACP, an array is one
invalid request. Source: JSON-RPC 2.0; ACP 1, "Transports"; MCP, "Transports".
"""

import json
import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from code_mcp_client.framing import Line, OversizeLine

JsonObject = dict[str, Any]
RequestId = int | str | None

_ENDS = 512
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Code(IntEnum):
    """The error codes that we send."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    AUTH_REQUIRED = -32000  # ACP
    NOT_FOUND = -32002  # ACP
    HEADER_MISMATCH = -32020  # MCP 2026-07-28, as are the next two
    MISSING_CAPABILITY = -32021
    UNSUPPORTED_VERSION = -32022
    CANCELLED = -32800  # ACP


class RpcError(Exception):
    """An error response to a request, ours or the client's.

    Attributes:
        code: one of `Code`, or what the client sent.
        data: details for programs, or None.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def to_json(self) -> JsonObject:
        """Return the error object of a response."""
        error = {"code": int(self.code), "message": str(self)}
        return error if self.data is None else {**error, "data": self.data}


@dataclass(frozen=True, slots=True)
class Request:
    """A request from the other side, which expects an answer."""

    id: RequestId
    method: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification from the other side."""

    method: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request of ours; `error` is None if there is a result."""

    id: RequestId
    result: Any = None
    error: RpcError | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """Input that is not a valid message.

    Attributes:
        id: the id of the request that it is or answers; None if unknown.
        error: what is wrong with it.
        is_answer: whether it may answer a request of ours; otherwise it needs an answer.
    """

    id: RequestId
    error: RpcError
    is_answer: bool = False


Message = Request | Notification | Response | Malformed


def messages(line: Line, longest: int, *, batches: bool = False) -> list[Message]:
    """Return the messages on a line: one, none for a blank line, or several in a batch; never raises.

    Args:
        line: the line without its end.
        longest: the length limit in bytes, for the error about an `OversizeLine`.
        batches: whether an array is a batch; otherwise it is one invalid request.
    """
    if isinstance(line, OversizeLine):
        problem = f"a line of {line.size:,} bytes is longer than {longest // 2**20} MiB"
        return [_unreadable(line.head, line.tail, Code.INVALID_REQUEST, problem)]
    if not line.strip():
        return []
    constants: list[str] = []
    try:
        value = _value(line, constants)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and numbers of 5,000 digits are `ValueError`s
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        problem = f"the line is not JSON: {reason}"
        return [_unreadable(bytes(line[:_ENDS]), bytes(line[-_ENDS:]), Code.PARSE_ERROR, problem)]
    if isinstance(value, list) and batches:
        found = [_message(each) for each in value] or [Malformed(None, _invalid("the batch is empty"))]
    else:
        found = [_message(value)]
    return [_with_constant(one, constants[0]) for one in found] if constants else found


def encode(message: Request | Notification | Response) -> bytes:
    """Return a message as a line of ASCII, including the line feed; lone surrogates are allowed."""
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


def _value(line: bytes | bytearray, constants: list[str]) -> Any:
    """Parse a line; a byte order mark, invalid UTF-8 and lone surrogates are repaired.

    Args:
        line: the text.
        constants: receives each `NaN` and `Infinity`, which Python accepts but JSON does not.
    """
    try:
        value = json.loads(line, parse_constant=constants.append)
    except ValueError as error:
        if line.lstrip(b"\xef\xbb\xbf \t\r")[:1] not in (b"{", b"["):  # not worth repairing
            raise ValueError(str(error)) from None
    else:
        if _SURROGATE.search(line) is None:
            return value
    from code_mcp_client.messages import parse_json  # slow to import and rarely needed

    return parse_json(line)


def _message(value: Any) -> Message:
    if not isinstance(value, dict):
        what = "a batch" if isinstance(value, list) else "a bare value"
        return Malformed(None, _invalid(f"one object per line is expected, not {what}"))
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
        problem = f"{method[:80]}: params must be an object"
        return Malformed(request_id, RpcError(Code.INVALID_PARAMS, problem))
    return Request(request_id, method, params) if "id" in value else Notification(method, params)


def _response(request_id: RequestId, value: JsonObject) -> Message:
    match value.get("error"):
        case None if "result" in value:
            return Response(request_id, value["result"])
        case {"code": int(code), "message": str(message), **more}:
            return Response(request_id, error=RpcError(code, message[:2000], more.get("data")))
        case dict() | str() | int():
            problem = "the answer is a malformed error"
            return Response(request_id, error=RpcError(Code.INTERNAL_ERROR, problem))
        case _:
            problem = "an object has a method, a result or an error"
            return Malformed(request_id, _invalid(problem), is_answer=True)


def _unreadable(head: bytes, tail: bytes, code: Code, problem: str) -> Malformed:
    """The result for a line of which only the ends are available."""
    from code_mcp_client.messages import find_id

    is_answer = b'"method"' not in head and b'"method"' not in tail
    return Malformed(find_id(head, tail), RpcError(code, problem), is_answer)


def _invalid(text: str) -> RpcError:
    return RpcError(Code.INVALID_REQUEST, text)


def _with_constant(message: Message, constant: str) -> Message:
    """Replace `message`, whose line contains an invalid number, with an error that keeps its id."""
    error = RpcError(Code.PARSE_ERROR, f"the line is not JSON: {constant} is not a JSON number")
    match message:
        case Request(id=request_id):
            return Malformed(request_id, error)
        case Response(id=request_id):
            return Malformed(request_id, error, is_answer=True)
        case _:
            return message
