"""The terminal frontend of Code for Python."""
