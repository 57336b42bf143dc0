"""The headless frontend, `code exec`."""
