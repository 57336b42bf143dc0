"""The live output of commands, either in a terminal that the client shows or as growing text.

Source: the `_meta` conventions `terminal_info`, `terminal_output` and `terminal_exit` of Zed.
"""

import base64
import codecs
from pathlib import Path
from typing import Any

from code_core.acp.tool_calls import fenced, text_content
from code_core.protocol.events import ExecCommandEnd
from code_core.protocol.text import repaired
from code_core.view.visible import readable

Fields = dict[str, Any]
LONGEST_LIVE = 64 * 1024
"""Characters of growing text, the newest ones; the end of a command shows the output kept in full."""
LONGEST_TERMINAL = 4 * 2**20
"""Characters of one command's output sent to a terminal."""


class TerminalOutput:
    """Output for a client with a terminal, to which each piece is appended at once."""

    withholds = False

    def __init__(self, call_id: str) -> None:
        self._terminal = call_id
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sent = 0

    def begin(self, cwd: Path) -> Fields:
        """Return the call's fields that make the client create the terminal."""
        return terminal_fields(self._terminal, cwd)

    def add(self, chunk: bytes) -> Fields | None:
        """Return the fields of the next update, or None if there is nothing to show yet."""
        return self._data(self._decoder.decode(chunk))

    def end(self, msg: ExecCommandEnd) -> Fields:
        """Return the fields of the last update: remaining output, and how the command ended."""
        rest = self._decoder.decode(b"", final=True)
        if not self._sent:
            rest = "\n".join(filter(None, (msg.stdout, msg.stderr)))
        fields = self._data(rest)
        meta = {} if fields is None else fields["_meta"]
        code, signal = msg.exit_code, None
        exit_ = {"terminal_id": self._terminal, "exit_code": code, "signal": signal}
        return {"_meta": {**meta, "terminal_exit": exit_}}

    def _data(self, text: str) -> Fields | None:
        if not text or self._sent >= LONGEST_TERMINAL:
            return None
        self._sent += len(text)
        data = readable(text)
        if self._sent >= LONGEST_TERMINAL:
            data += "\n[more output is not shown]\n"
        return {"_meta": {"terminal_output": {"terminal_id": self._terminal, "data": data}}}


class GrowingText:
    """Output for other clients: each update carries the newest part of the whole text.

    An update is due whenever the text has doubled, so that the total stays proportional to the output. What
    came since is withheld until then, or until the caller asks for it.

    Attributes:
        withholds: whether there is output that no update has shown.
    """

    def __init__(self, _call_id: str) -> None:
        self.withholds = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = ""
        self._length = 0
        self._sent = 0

    def begin(self, _cwd: Path) -> Fields:
        """See `TerminalOutput.begin`."""
        return {}

    def add(self, chunk: bytes) -> Fields | None:
        """See `TerminalOutput.add`."""
        text = self._decoder.decode(chunk)
        self._shown = (self._shown + text)[-LONGEST_LIVE:]
        self._length += len(text)
        self.withholds = self._length > self._sent
        return self.withheld() if self._length > 2 * self._sent else None

    def withheld(self) -> Fields:
        """Return the fields of an update that shows everything so far."""
        self.withholds = False
        self._sent = self._length
        earlier = "[earlier output is not shown]\n" if self._length > len(self._shown) else ""
        return {"content": [text_content(fenced(earlier + readable(self._shown)))]}

    def end(self, msg: ExecCommandEnd) -> Fields:
        """See `TerminalOutput.end`."""
        text = "\n".join(part.rstrip("\n") for part in (msg.stdout, msg.stderr) if part)
        return {"content": [text_content(fenced(readable(text)))] if text else []}


CommandOutput = TerminalOutput | GrowingText


def terminal_fields(terminal: str, cwd: Path) -> Fields:
    """Return a call's fields that make the client create a terminal."""
    return {
        "content": [{"type": "terminal", "terminalId": terminal}],
        "_meta": {"terminal_info": {"terminal_id": terminal, "cwd": repaired(str(cwd))}},
    }


def decoded(chunk: str) -> bytes:
    """Return the bytes of an output event's chunk."""
    return base64.b64decode(chunk)
