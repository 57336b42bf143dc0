"""The MCP servers of a conversation."""
