"""Events about commands that outlive their calls."""

from typing import Literal

from code_core.protocol.duration import Duration
from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import FilePath, Text


class TerminalInfo(ProtocolModel):
    """A running command.

    Attributes:
        session_id: its number in `write_stdin` and `stop_terminals`.
        tty: whether it has a terminal and so accepts input.
        confined: whether it runs in a sandbox.
    """

    session_id: int
    command: Text
    cwd: FilePath
    tty: bool
    confined: bool


class TerminalsChanged(ProtocolModel):
    """All commands that kept running after their calls, oldest first; also the answer to `list_terminals`."""

    type: Literal["terminals_changed"] = "terminals_changed"
    terminals: list[TerminalInfo]


class TerminalEnded(ProtocolModel):
    """A command that kept running after its call has ended; `stopped` if it was stopped."""

    type: Literal["terminal_ended"] = "terminal_ended"
    session_id: int
    command: Text
    exit_code: int
    duration: Duration
    stopped: bool = False
