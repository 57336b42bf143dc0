"""Conversations: the turn loop, the history, the approvals in flight."""
