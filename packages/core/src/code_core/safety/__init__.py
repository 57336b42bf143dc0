"""Decides what may run, and with which permissions: pure functions of values."""
