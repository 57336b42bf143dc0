"""The capabilities that a client declares in `initialize`. Anything undeclared is not sent.

Source: Agent Client Protocol, version 1, "Initialization" (schema of SDK 2.4.0).
"""

from collections.abc import Mapping
from typing import Any, Self

from code_core.frozen import frozen


@frozen
class ClientCapabilities:
    """The capabilities that affect what we send.

    Attributes:
        read_files: Patches are planned from the editor's text, saved or not (`fs/read_text_file`).
        write_files: Patches are written by the editor (`fs/write_text_file`).
        terminal_output: Commands show live output in a terminal (`_meta.terminal_*`).
        notices: Warnings are `notice` updates instead of agent thoughts.
        compaction: Compactions are `compaction_update` updates instead of messages.
        plans: Plans are `plan_update` updates instead of `plan`.
        forms: MCP servers can ask the user (`elicitation/create` with a form); otherwise they are declined.
        urls: MCP servers can ask the user to open a page (`elicitation/create` with a `url`, then `elicitation/complete`).
    """

    read_files: bool = False
    write_files: bool = False
    terminal_output: bool = False
    notices: bool = False
    compaction: bool = False
    plans: bool = False
    forms: bool = False
    urls: bool = False

    @classmethod
    def of(cls, initialize: Mapping[str, Any]) -> Self:
        """Return those declared in the parameters of `initialize`; malformed ones count as undeclared."""
        declared = initialize.get("clientCapabilities")
        return cls(**{name: _is_declared(_at(declared, *path), name) for name, path in DECLARED.items()})


DECLARED: Mapping[str, tuple[str, ...]] = {
    "read_files": ("fs", "readTextFile"),
    "write_files": ("fs", "writeTextFile"),
    "terminal_output": ("_meta", "terminal_output"),
    "notices": ("session", "notices"),
    "compaction": ("session", "compaction"),
    "plans": ("plan",),
    "forms": ("elicitation", "form"),
    "urls": ("elicitation", "url"),
}
"""The path of each capability in `clientCapabilities`: an object, or `true` for those in `_FLAGS`."""

_FLAGS = frozenset({"read_files", "write_files", "terminal_output"})

NOTHING_DECLARED = ClientCapabilities()


def _is_declared(value: object, name: str) -> bool:
    return value is True if name in _FLAGS else isinstance(value, Mapping)


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
