"""`code mcp`: the MCP servers in the settings file."""

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from code_cli.directory import absolute_directory
from code_cli.leading_options import LeadingOptionsGroup
from code_cli.run import run_frontend, settings_checked

if TYPE_CHECKING:
    from code_core.config.schema.servers import McpServerTable

SERVERS = "mcp_servers"


@click.group("mcp", cls=LeadingOptionsGroup, context_settings={"help_option_names": ["-h", "--help"]})
def mcp_command() -> None:
    """List, add, remove and test the MCP servers whose tools the agent can call."""


@mcp_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the configured servers. Values that could be secrets are masked."""
    servers = _servers()
    if as_json:
        click.echo(json.dumps([_shown(name, table) for name, table in servers.items()], indent=2))
        return
    if not servers:
        click.echo("no MCP servers: add one with code mcp add NAME -- COMMAND")
    width = max(map(len, servers), default=0)
    for name, table in servers.items():
        state = "" if table.enabled else "  (disabled)"
        click.echo(f"{name:{width}}  {_transport(table)}{state}")


@mcp_command.command("get")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get_command(name: str, as_json: bool) -> None:
    """Show the settings of one server. Values that could be secrets are masked."""
    shown = _shown(name, _server(name))
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for key, value in shown.items():
        click.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


@mcp_command.command("add", context_settings={"ignore_unknown_options": False})
@click.argument("name")
@click.argument("command", nargs=-1)
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable for the server."
)
@click.option("--env-var", "passed", multiple=True, metavar="NAME", help="Pass a variable on to the server.")
@click.option("--url", help="Use the HTTP server at this URL instead of a command.")
@click.option("--bearer-token-env-var", metavar="NAME", help="Take the token for --url from this variable.")
def add_command(
    name: str,
    command: tuple[str, ...],
    variables: tuple[str, ...],
    passed: tuple[str, ...],
    url: str | None,
    bearer_token_env_var: str | None,
) -> None:
    """Add a server, or replace one: code mcp add NAME -- COMMAND ARGUMENTS, or code mcp add NAME --url URL."""
    table: dict[str, Any] = {}
    if command:
        table |= {"command": command[0], **({"args": list(command[1:])} if command[1:] else {})}
    if url is not None:
        table["url"] = url
    if bearer_token_env_var is not None:
        table["bearer_token_env_var"] = bearer_token_env_var
    pairs = [variable.partition("=") for variable in variables]
    if wrong := next((pair[0] for pair in pairs if not pair[0] or not pair[1]), None):
        raise click.UsageError(f"--env {wrong!r} is not of the form NAME=VALUE")
    if pairs:
        table["env"] = {key: value for key, _, value in pairs}
    if passed:
        table["env_vars"] = list(passed)

    from code_core.config.edit import set_values
    from code_core.config.load import checked_servers
    from code_core.config.paths import find_home

    known = _servers()
    with settings_checked():
        checked_servers({name: table})
        path = set_values(find_home(os.environ), {(SERVERS, name): table})
    done = f"replaced all settings of {name} in" if name in known else f"added {name} to"
    click.echo(f"{done} {path}; try it with code mcp test {name}")


@mcp_command.command("remove")
@click.argument("name")
def remove_command(name: str) -> None:
    """Remove a server."""
    from code_core.config.edit import remove_value
    from code_core.config.paths import find_home

    with settings_checked():
        path = remove_value(find_home(os.environ), (SERVERS, name))
    click.echo(f"removed {name} from {path}")


@mcp_command.command("test")
@click.argument("name")
def test_command(name: str) -> None:
    """Start a server and report its start-up time, version and tools."""
    from code_cli.mcp_test import try_server

    run_frontend(partial(try_server, name, _server(name), absolute_directory(None)))


@mcp_command.command("login")
@click.argument("name")
def login_command(name: str) -> None:
    """Sign in to an HTTP server in the browser. Only your user can read the saved tokens."""
    from code_cli.mcp_login import login

    run_frontend(partial(login, name, _server(name)))


@mcp_command.command("logout")
@click.argument("name")
def logout_command(name: str) -> None:
    """Delete the saved tokens of a server."""
    from code_core.config.paths import find_home
    from code_core.mcp_servers.launch import token_path
    from code_mcp_client.sign_in import TokenFile

    server = _server(name)
    with settings_checked():
        path = token_path(find_home(os.environ).path, name)
    gone = TokenFile(path, server.url or "").remove()
    click.echo(f"signed out of {name}" if gone else f"you were not signed in to {name}")


def _servers() -> "dict[str, McpServerTable]":
    from code_core.config.load import configured_servers

    with settings_checked():
        return configured_servers(os.environ)


def _server(name: str) -> "McpServerTable":
    from code_core.errors import ConfigError

    servers = _servers()
    with settings_checked():
        if name not in servers:
            known = ", ".join(servers) or "none"
            raise ConfigError(f"there is no MCP server called {name!r} (configured: {known})")
    return servers[name]


def _transport(table: "McpServerTable") -> str:
    return table.url if table.url is not None else " ".join([table.command or "", *table.args])


def _shown(name: str, table: "McpServerTable") -> dict[str, Any]:
    from code_core.config.explain import shown

    fields = {key: getattr(table, key) for key in table.model_dump(exclude_defaults=True)}
    return {"name": name, "enabled": table.enabled, **shown((SERVERS, name), fields)}
