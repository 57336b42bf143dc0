"""Runs checkers on a patch before it is applied; their findings never block it."""
