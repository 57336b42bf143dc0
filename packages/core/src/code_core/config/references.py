"""Resolves what settings name: a file, an MCP server."""

from collections.abc import Sequence
from pathlib import Path

from code_core.config.layers import Layer, located
from code_core.config.paths import expand_home
from code_core.config.schema.file import ConfigFile
from code_core.config.schema.servers import ClientToolTable
from code_core.errors import ConfigError


def instructions_file(settings: ConfigFile, layers: Sequence[Layer], cwd: Path) -> str | None:
    """Return the text of `experimental_instructions_file`, or None if it is not set.

    Raises:
        ConfigError: the file cannot be read.
    """
    key, path = "experimental_instructions_file", settings.experimental_instructions_file
    if path is None:
        return None
    try:
        return (cwd / expand_home(path)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the path
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        where = located(layers, (key,))
        raise ConfigError(f"{where}: {key} {str(path)!r} cannot be read: {reason}") from error


def client_tool(settings: ConfigFile, layers: Sequence[Layer], name: str) -> ClientToolTable | None:
    """Return the tool `name` of `experimental_client_tools`, or None if it is not set.

    Raises:
        ConfigError: its server is not configured or not enabled.
    """
    table: ClientToolTable | None = getattr(settings.experimental_client_tools, name)
    servers = {name for name, server in settings.mcp_servers.items() if server.enabled}
    if table is not None and table.mcp_server not in servers:
        path = ("experimental_client_tools", name, "mcp_server")
        raise ConfigError(
            f"{located(layers, path)}: {'.'.join(path)} names the MCP server {table.mcp_server!r}, which is not "
            f"configured (configured: {', '.join(sorted(servers)) or 'none'})"
        )
    return table
