"""The face without a screen: `code exec`."""
