"""Confining a command: what it may write, whom it may reach."""
