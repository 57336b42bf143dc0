"""The language that every layer speaks: ops in, events out, items between."""
