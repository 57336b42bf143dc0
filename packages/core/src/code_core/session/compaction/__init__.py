"""Compaction: shortens the history but keeps what the model needs to continue."""
