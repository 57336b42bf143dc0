"""The terminal face of Code for Python."""
