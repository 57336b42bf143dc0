"""Code for Python as an MCP server."""
