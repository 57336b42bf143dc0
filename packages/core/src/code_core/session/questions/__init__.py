"""Questions to the user, from approvals, MCP servers and the model, and what may answer for the user."""
