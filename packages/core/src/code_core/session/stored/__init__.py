"""Sessions in the store: opening, restoring and undoing."""
