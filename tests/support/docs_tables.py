"""Writes the tables of the documents in `FILES` from the code.

PYTHONPATH=tests uv run python tests/support/docs_tables.py
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from code_core.config.schema.file import ConfigFile
from code_core.protocol.policies import AskForApproval, DangerFullAccess, ReadOnly, WorkspaceWrite
from code_core.safety.decide import Ask, CommandDecision, Reject, Run, decide_command
from code_core.safety.known_safe import Reading
from code_core.safety.wrappers import WRAPPERS
from code_core.sandbox.system_calls import (
    ATTRIBUTES,
    OWN_PRIORITY_ONLY,
    OWN_PROCESS_ONLY,
    REFUSED,
    SHARED,
    WITHOUT_NETWORK,
)
from code_core.validation.tools import CHECKERS
from core.sandbox.attacks import ATTACKS
from support import docs_acp, docs_mcp, docs_protocol, docs_settings

DOCS = Path(__file__).parents[2] / "docs"
FILES = (
    "acp.md",
    "approvals.md",
    "configuration.md",
    "events.md",
    "from-codex.md",
    "mcp-client.md",
    "mcp-server.md",
    "sandbox.md",
    "validation.md",
)
_BLOCK = re.compile(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _said(decision: CommandDecision) -> str:
    match decision:
        case Run(confined=confined):
            return "runs confined" if confined else "runs"
        case Ask(confined=confined):
            return "asks, then runs confined" if confined else "asks, then runs"
        case Reject():
            return "rejected"


def decisions() -> str:
    """The decisions of `decide_command` in every situation."""
    rows = []
    for policy in AskForApproval:
        for sandbox, confinable, where in (
            (WorkspaceWrite(), True, "`read-only`, `workspace-write`"),
            (WorkspaceWrite(), False, "the same, on a machine without a sandbox"),
            (DangerFullAccess(), True, "`danger-full-access`"),
        ):
            situations = (  # reads, approved, escalated
                (Reading.NO, False, False),
                (Reading.ALWAYS, False, False),
                (Reading.WHEN_CONFINED, False, False),
                (Reading.NO, True, False),
                (Reading.NO, False, True),
                (Reading.NO, True, True),
            )
            cells = [
                _said(
                    decide_command(
                        policy, sandbox, confinable=confinable, reads=reads, approved=yes, escalated=out
                    )
                )
                for reads, yes, out in situations
            ]
            same = decide_command(policy, ReadOnly(), confinable=confinable)
            assert isinstance(sandbox, DangerFullAccess) or _said(same) == cells[0]
            rows.append([f"`{policy}`", where, *cells])
    head = ["policy", "sandbox", "any command", "one that only reads", "git that only reads"]
    return _table([*head, "allowed by you", "to run outside", "to run outside, allowed by you"], rows)


def attacks() -> str:
    """The number of attacks that the sandbox tests try, by group, and how many succeed."""
    rows = []
    for group in dict.fromkeys(attack.group for attack in ATTACKS):
        members = [attack for attack in ATTACKS if attack.group == group]
        cells = []
        for mechanism in ("bwrap", "landlock"):
            gaps = sum(mechanism in attack.gaps for attack in members)
            cells.append("all blocked" if not gaps else f"{len(members) - gaps} blocked, **{gaps} not**")
        rows.append([group, str(len(members)), *cells])
    rows.append(["total", str(len(ATTACKS)), *_blocked()])
    return _table(["attacks on", "tests", "bubblewrap", "Landlock"], rows)


def _blocked() -> list[str]:
    counts = [sum(one not in attack.gaps for attack in ATTACKS) for one in ("bwrap", "landlock")]
    return [f"{count} blocked" for count in counts]


def gaps() -> str:
    """The attacks that succeed, by group and mechanism."""
    rows = []
    for group in dict.fromkeys(attack.group for attack in ATTACKS if attack.gaps):
        cells = []
        for mechanism in ("bwrap", "landlock"):
            names = [one.name for one in ATTACKS if one.group == group and mechanism in one.gaps]
            cells.append("; ".join(names) or "none")
        rows.append([group, *cells])
    return _table(["attacks on", "not blocked by bubblewrap", "not blocked by Landlock"], rows)


def calls() -> str:
    """The system calls that are refused with any arguments."""
    return _names(REFUSED)


def calls_without_network() -> str:
    """Those that are refused without network access."""
    return _names(WITHOUT_NETWORK)


def calls_shared() -> str:
    """Those that are refused under Landlock, for all or for other processes."""
    return _names((*SHARED, *ATTRIBUTES, *OWN_PROCESS_ONLY, *OWN_PRIORITY_ONLY))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) + "\n"


def wrappers() -> str:
    """The wrappers whose command is examined."""
    return ", ".join(f"`{name}`" for name in sorted(WRAPPERS)) + "\n"


def checkers() -> str:
    """The programs that check patches."""
    rows = [
        [
            f"`{checker.name}`",
            checker.group,
            ", ".join(f"`{pattern}`" for pattern in checker.patterns),
            " or ".join(f"`{marker}`" for marker in checker.markers),
            f"{checker.seconds:g} s" if checker.seconds else "",
            "yes" if checker.runs_code else "",
        ]
        for checker in CHECKERS
        if checker.arguments[0] != sys.executable
    ]
    return _table(["tool", "group", "files", "in a project with", "time limit", "only in a sandbox"], rows)


def settings() -> str:
    """Every setting."""
    return _table(["key", "value", "default", "meaning"], docs_settings.settings())


def unsupported() -> str:
    """The settings that are accepted without effect."""
    return _table(["key", "why it has no effect"], docs_settings.unsupported())


TABLES: dict[str, Callable[[], str]] = {
    "acp_agent": docs_acp.agent_capabilities,
    "acp_client": docs_acp.client_capabilities,
    "acp_commands": docs_acp.commands,
    "acp_coverage": docs_acp.coverage,
    "acp_methods": docs_acp.methods,
    "acp_missing": docs_acp.missing,
    "acp_modes": docs_acp.modes,
    "decisions": decisions,
    "attacks": attacks,
    "gaps": gaps,
    "calls": calls,
    "calls_without_network": calls_without_network,
    "calls_shared": calls_shared,
    "checkers": checkers,
    "settings": settings,
    "unsupported": unsupported,
    "events": docs_protocol.events,
    "ops": docs_protocol.ops,
    "values": docs_protocol.values,
    "wrappers": wrappers,
    "mcp_server_tools": lambda: _table(
        ["tool", "effect", "arguments", "structured result"], docs_mcp.server_tools()
    ),
    "mcp_server_capabilities": lambda: _table(
        ["", "handshake era", "2026-07-28"], docs_mcp.server_capabilities()
    ),
    "mcp_client_methods": lambda: _table(["method", "effect"], docs_mcp.client_methods()),
    "mcp_conformance": lambda: _table(["as", "revision", "scenarios", "names"], docs_mcp.conformance()),
}


def current(text: str) -> str:
    """`text` with its tables updated from the code."""
    return _BLOCK.sub(lambda found: f"<!-- table: {found[1]} -->\n{TABLES[found[1]]()}<!-- end -->\n", text)


def schema() -> str:
    """The JSON Schema of the settings file."""
    return json.dumps(ConfigFile.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    (DOCS / "config.schema.json").write_text(schema())
    for name in FILES:
        page = DOCS / name
        page.write_text(current(page.read_text()))
