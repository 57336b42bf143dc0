"""The frontend without a screen: `code exec`."""
