"""Running commands: starting, capturing output, stopping."""
