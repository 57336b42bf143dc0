"""Hardening at interpreter startup, and locked memory for secrets."""
