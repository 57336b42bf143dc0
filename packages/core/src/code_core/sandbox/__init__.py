"""Confining commands: what they may write and whether they may use the network."""
