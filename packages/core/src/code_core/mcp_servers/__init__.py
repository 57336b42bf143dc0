"""The MCP servers of a conversation: connected concurrently, with their tools offered to the model."""
