"""The types that all layers share: ops in, events out, and items."""
