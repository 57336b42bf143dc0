"""Questions to the user, and what decides in their place: approvals, MCP servers, the model."""
