"""What may run, and with what: pure decisions over values."""
