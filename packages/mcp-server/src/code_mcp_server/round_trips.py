"""Turns that wait for a client to repeat its call with answers.

Since 2026-07-28, a server cannot send requests. A call that needs answers returns its questions and a
state, and the client repeats the call with the answers and that state. Source: MCP 2026-07-28, "Multi
Round-Trip Requests".
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from code_mcp_server.approvals import details, elicitation, reply
from code_mcp_server.jsonrpc import Code, RpcError
from code_mcp_server.turns import Turn

EXPIRED = "invalid or expired requestState"
DETAILS_KEY = "code/approvals"
"""The key in a result's `_meta` for the fields by which Codex clients distinguish approvals."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A waiting turn.

    Attributes:
        session_id: its session.
        digest: identifies the call that began it, which must be repeated unchanged.
    """

    turn: Turn
    session_id: str
    digest: bytes


def input_required(turn: Turn, call_id: str, state: str | None = None) -> dict[str, Any]:
    """Return the open questions of a turn as `inputRequests` by key."""
    fields = {key: details(question, event_id, call_id) for key, (question, event_id) in turn.open.items()}
    result: dict[str, Any] = {
        "inputRequests": {
            key: {"method": "elicitation/create", "params": elicitation(question)}
            for key, (question, _) in turn.open.items()
        }
    }
    if state is not None:
        result |= {"resultType": "input_required", "requestState": state}
    return result | {"_meta": {DETAILS_KEY: {key: one for key, one in fields.items() if one}}}


async def take_answers(turn: Turn, responses: Mapping[str, Any]) -> None:
    """Pass on answers to open questions; other answers are ignored."""
    for key, answer in responses.items():
        if key in turn.open:
            question, _ = turn.open[key]
            await turn.reply(reply(question, answer))


@dataclass(slots=True)
class RoundTrips:
    """The waiting turns, by the state given to their clients. Each state is valid for one call."""

    _parked: dict[str, Parked] = field(default_factory=dict)

    def park(self, turn: Turn, session_id: str, call: bytes) -> str:
        """Let a turn wait and return the state that resumes it."""
        self._forget_ended()
        state = secrets.token_urlsafe(24)
        self._parked[state] = Parked(turn, session_id, call)
        return state

    def resume(self, state: object, call: bytes) -> Parked:
        """Return the turn that a state belongs to.

        Raises:
            RpcError: the state is unknown or already used, belongs to another call, or its turn is over.
        """
        self._forget_ended()
        parked = self._parked.get(state) if isinstance(state, str) else None
        if parked is None or parked.digest != call:
            raise RpcError(Code.INVALID_PARAMS, EXPIRED)
        del self._parked[str(state)]
        return parked

    def _forget_ended(self) -> None:
        for state in [state for state, one in self._parked.items() if one.turn.end is not None]:
            del self._parked[state]


def digest(name: str, arguments: Mapping[str, Any] | None) -> bytes:
    """Return a digest that is equal for calls of the same tool with the same arguments."""
    text = json.dumps([name, arguments or {}], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
