"""Names of servers' tools in the form that model APIs take."""

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha1

LONGEST_NAME = 64
_KEPT_OF_A_LONG_NAME = 24
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")

ToolId = tuple[str, str]
"""A server and its tool, as they call themselves."""


def qualified_name(server: str, tool: str) -> str:
    """`server__tool` for the model: letters, digits, `_` and `-`, at most 64; a longer one ends with its SHA-1."""
    name = _FORBIDDEN.sub("_", f"{server}__{tool}")
    if len(name) <= LONGEST_NAME:
        return name
    return name[:_KEPT_OF_A_LONG_NAME] + _digest(f"{server}__{tool}")


def qualified_names(tools: Iterable[ToolId]) -> dict[str, ToolId]:
    """A name of its own for every tool, the same in every run with the same tools.

    It is the `qualified_name` unless several tools would have the same one; then only one that is spelled
    exactly like it keeps it, and the others end with a hash of server and tool.
    """
    wanted = {tool: qualified_name(*tool) for tool in sorted(set(tools))}
    uses = Counter(wanted.values())
    spelled = Counter("__".join(tool) for tool in wanted)
    named: dict[str, ToolId] = {}
    colliding: list[ToolId] = []
    for tool, name in wanted.items():
        exact = "__".join(tool) == name and spelled[name] == 1
        if uses[name] == 1 or exact:
            named[name] = tool
        else:
            colliding.append(tool)
    for tool in colliding:
        start = wanted[tool][:_KEPT_OF_A_LONG_NAME]
        salt = "\0".join(tool)
        while (name := start + _digest(salt)) in named:
            salt += "\0"
        named[name] = tool
    return dict(sorted(named.items()))


def _digest(text: str) -> str:
    return sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
