"""Detects a model that repeats the same call."""

from code_core.errors import TurnError
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellCall, ToolCall
from code_core.tools.tool import ToolOutput

NOTE_AT = 3
STOP_AT = 5


class LoopGuard:
    """Counts consecutive identical calls with identical results."""

    def __init__(self) -> None:
        self._last: tuple[str, str] | None = None
        self._count = 0
        self._stuck = False

    def observe(self, call: ToolCall, output: ToolOutput) -> str | None:
        """Return a note for the model on the third repetition, otherwise None."""
        seen = (_request(call), output.fingerprint or output.text)
        self._count = self._count + 1 if seen == self._last else 1
        self._last = seen
        self._stuck = self._stuck or self._count >= STOP_AT
        if self._count == NOTE_AT:
            return f"[This call has had the same result {NOTE_AT} times in a row. Try something else.]"
        return None

    def check(self) -> None:
        """Stop a turn that makes no progress.

        Raises:
            TurnError: a call was made five times in a row.
        """
        if self._stuck:
            raise TurnError(
                f"stopped: the model made the same call with the same result {STOP_AT} times in a row. "
                "Say what it should do differently and try again."
            )


def _request(call: ToolCall) -> str:
    match call:
        case FunctionCall(name=name, arguments=text) | CustomToolCall(name=name, input=text):
            return f"{name}\n{text}"
        case LocalShellCall(action=action):
            return f"shell\n{action.model_dump_json()}"
