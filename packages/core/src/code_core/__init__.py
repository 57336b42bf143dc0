"""The engine of Code for Python."""
