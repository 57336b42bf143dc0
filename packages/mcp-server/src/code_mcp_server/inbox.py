"""Parses a client's lines into messages, or says why a line is not one. No IO."""

from dataclasses import dataclass
from typing import Any

from code_mcp_client.framing import Line, OversizeLine
from code_mcp_client.messages import Notification, Request, RequestId, find_id, parse_json
from code_mcp_server.rpc import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR

_ENDS = 512


@dataclass(frozen=True, slots=True)
class Answer:
    """A client's answer to a question of ours: a result object, or None for an error and for anything else."""

    id: RequestId
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that cannot be taken, and the error that answers it."""

    id: RequestId | None
    code: int
    message: str


Incoming = Request | Notification | Answer | Refused


def incoming(line: Line) -> list[Incoming]:
    """The messages of a line, several for a batch, none for a blank one; never raises."""
    if isinstance(line, OversizeLine):
        refused = f"the message is too long: {line.size:,} bytes"
        return [Refused(find_id(line.head, line.tail), INVALID_REQUEST, refused)]
    if not line or line.isspace():
        return []
    try:
        value = parse_json(line)
    except (ValueError, RecursionError) as error:
        request_id = find_id(bytes(line[:_ENDS]), bytes(line[-_ENDS:]))
        return [Refused(request_id, PARSE_ERROR, f"not JSON: {str(error)[:200]}")]
    if isinstance(value, list):
        return [_incoming(each) for each in value] or [
            Refused(None, INVALID_REQUEST, "a batch without messages")
        ]
    return [_incoming(value)]


def _incoming(value: Any) -> Incoming:
    match value:
        case {"id": int() | str() as request_id} if not isinstance(request_id, bool):
            return _with_id(value, request_id)
        case {"method": str(method)} if "id" not in value:
            params = value.get("params")
            return Notification(method, params if isinstance(params, dict) else None)
        case _:
            return Refused(None, INVALID_REQUEST, "not a JSON-RPC 2.0 request")


def _with_id(value: dict[str, Any], request_id: RequestId) -> Incoming:
    match value:
        case {"method": str(method)}:
            params = value.get("params")
            if params is not None and not isinstance(params, dict):
                return Refused(request_id, INVALID_PARAMS, f"{method[:100]}: params must be an object")
            return Request(request_id, method, params)
        case {"method": _}:
            return Refused(request_id, INVALID_REQUEST, "method must be a string")
        case {"result": dict(result)} if "error" not in value:
            return Answer(request_id, result)
        case _:
            return Answer(request_id, None)
