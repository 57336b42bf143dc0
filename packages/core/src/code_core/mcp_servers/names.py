"""Tool names in the form that model APIs accept."""

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha1

LONGEST_NAME = 64
_KEPT_OF_A_LONG_NAME = 24
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")

ToolId = tuple[str, str]
"""A server name and a tool name, as the server and the settings spell them."""


def qualified_name(server: str, tool: str) -> str:
    """Return `server__tool`: letters, digits, `_` and `-`, at most 64 characters, with a SHA-1 suffix if cut."""
    name = _FORBIDDEN.sub("_", f"{server}__{tool}")
    if len(name) <= LONGEST_NAME:
        return name
    return name[:_KEPT_OF_A_LONG_NAME] + _digest(f"{server}__{tool}")


def qualified_names(tools: Iterable[ToolId]) -> dict[str, ToolId]:
    """Return a unique name for every tool, stable across runs with the same tools.

    This is the `qualified_name` unless several tools share one. Then only a tool spelled exactly like it
    keeps the name, and the others get a hash of server and tool as a suffix.
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
