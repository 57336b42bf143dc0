"""The MCP servers of a conversation: connected side by side, their tools offered to the model."""
