"""A server written with the SDK, over stdio, with 200 tools."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("many", instructions="Look for the ticket first, and change it only then.")


def change(ticket: str, fields: dict[str, str], notify: bool = True, retries: int = 3) -> str:
    """Change a ticket."""
    return f"{ticket}: {sorted(fields)}, {notify}, {retries}"


for number in range(200):
    server.add_tool(
        change,
        name=f"change_kind_{number}",
        description=f"Change a ticket of kind {number}: set some of its fields, and tell its owner about that.",
    )
server.run("stdio")
