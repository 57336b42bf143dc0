"""Compaction: the history is made shorter, and keeps what the model needs to go on."""
