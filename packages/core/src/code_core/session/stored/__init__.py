"""Sessions in the store: opening, restoring, undoing."""
