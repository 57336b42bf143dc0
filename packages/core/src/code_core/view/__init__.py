"""Shared presentation for all frontends: titles, changes, questions and lines, without a toolkit or the engine."""
