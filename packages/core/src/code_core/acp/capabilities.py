"""What a client has declared in `initialize`. Whatever it did not declare, it is not sent.

Source: Agent Client Protocol, version 1, "Initialization" (schema of SDK 2.4.0).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The capabilities that change what we send.

    Attributes:
        read_files: `fs/read_text_file`.
        write_files: `fs/write_text_file`.
        terminal_output: shows live output of commands that we run, by `_meta.terminal_*`.
        notices: the update `notice`.
        compaction: the update `compaction_update`.
        plans: `plan_update` instead of `plan`.
        forms: `elicitation/create` with a form.
    """

    read_files: bool = False
    write_files: bool = False
    terminal_output: bool = False
    notices: bool = False
    compaction: bool = False
    plans: bool = False
    forms: bool = False

    @classmethod
    def of(cls, initialize: Mapping[str, Any]) -> Self:
        """Those in the parameters of `initialize`; what is malformed counts as not declared."""
        declared = initialize.get("clientCapabilities")
        return cls(
            read_files=_at(declared, "fs", "readTextFile") is True,
            write_files=_at(declared, "fs", "writeTextFile") is True,
            terminal_output=_at(declared, "_meta", "terminal_output") is True,
            notices=isinstance(_at(declared, "session", "notices"), Mapping),
            compaction=isinstance(_at(declared, "session", "compaction"), Mapping),
            plans=isinstance(_at(declared, "plan"), Mapping),
            forms=isinstance(_at(declared, "elicitation", "form"), Mapping),
        )


NOTHING_DECLARED = ClientCapabilities()


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
