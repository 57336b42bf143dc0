"""Running commands: spawn, capture, kill."""
