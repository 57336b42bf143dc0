"""`code doctor`: reports what works here, what does not, and how to fix it."""

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from code_cli.run import run_frontend
from code_cli.session_options import overrides_from, session_options

if TYPE_CHECKING:
    from code_core.config.load import ConfigOverrides

FAILED = 1


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@session_options
def doctor_command(as_json: bool, **session: Any) -> None:
    """Check Python, terminal, git, hardening, sandbox, settings, disk, key, provider and MCP servers.

    With the options of a session, check what that session would use. The check sends a request without a key to the
    provider's base URL, and starts the MCP servers.

    Exit code: 0 if nothing is broken, 1 otherwise.
    """
    run_frontend(partial(_examine, overrides_from(**session), as_json))


async def _examine(overrides: "ConfigOverrides", as_json: bool) -> int:
    from code_cli.checks import State, all_checks
    from code_core.view.visible import visible_line

    checks = await all_checks(overrides)
    broken = any(check.state is State.BROKEN for check in checks)
    if as_json:
        click.echo(json.dumps({"broken": broken, "checks": [asdict(check) for check in checks]}, indent=2))
        return FAILED if broken else 0
    for check in checks:
        first, *rest = [visible_line(line) for line in check.details or ("",)]
        click.echo(f"{check.state:8} {check.name:14} {first}".rstrip())
        for line in rest:
            click.echo(f"{'':8} {'':14} {line}")
    return FAILED if broken else 0
