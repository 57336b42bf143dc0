"""Generates the tables of `docs/acp.md` from the agent."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from code_core.acp.capabilities import DECLARED, ClientCapabilities
from code_core.acp.commands import BUILT_IN
from code_core.acp.modes import PRESETS
from code_mcp_server.acp.agent import METHODS
from code_mcp_server.acp.initialize import CAPABILITIES
from support.acp_coverage import COVERAGE, Missing, Supported


def methods() -> str:
    """Every method and its effect."""
    rows = [
        (f"`{name}`", _first_sentence(inspect.getdoc(method) or "", name)) for name, method in METHODS.items()
    ]
    return _table(("method", "effect"), rows)


def agent_capabilities() -> str:
    """What `initialize` declares."""
    return _table(
        ("capability", "value"), [(f"`{path}`", f"`{value}`") for path, value in _flat(CAPABILITIES)]
    )


def client_capabilities() -> str:
    """What a client can declare, and the effects."""
    meanings = dict(re.findall(r"^ {4}(\w+): (.*)$", inspect.getdoc(ClientCapabilities) or "", re.MULTILINE))
    return _table(
        ("declared", "effect"),
        [(f"`{'.'.join(path)}`", meanings[name].rstrip(".")) for name, path in DECLARED.items()],
    )


def commands() -> str:
    """The slash commands."""
    rows = [(f"`/{one.name}`" + (f" *{one.hint}*" if one.hint else ""), one.description) for one in BUILT_IN]
    return _table(("command", "effect"), rows)


def modes() -> str:
    """The modes and their settings."""
    rows = [
        (
            f"`{one.id}`",
            one.description,
            *("stays" if policy is None else f"`{policy.value}`" for policy in (one.approval, one.sandbox)),
        )
        for one in PRESETS
    ]
    return _table(("mode", "effect", "`approval_policy`", "`sandbox_mode`"), rows)


def coverage() -> str:
    """The supported part of the protocol."""
    rows = [
        (section, ", ".join(f"`{name}`" for name, one in names.items() if isinstance(one, Supported)))
        for section, names in COVERAGE.items()
    ]
    return _table(("", "supported"), rows)


def missing() -> str:
    """The unsupported part of the protocol, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for section, names in COVERAGE.items():
        for name, one in names.items():
            if isinstance(one, Missing):
                reasons.setdefault((section, one.why), []).append(f"`{name}`")
    return _table(
        ("", "not supported", "why"),
        [(section, ", ".join(names), why) for (section, why), names in reasons.items()],
    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, one in value.items():
        if isinstance(one, dict) and one:
            yield from _flat(one, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", {True: "true", False: "false"}[one] if isinstance(one, bool) else "{}"


def _first_sentence(text: str, name: str) -> str:
    sentence = " ".join(text.split("\n\n", maxsplit=1)[0].split()).removeprefix(f"`{name}`").lstrip(".: ")
    return sentence[:1].upper() + sentence[1:]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
