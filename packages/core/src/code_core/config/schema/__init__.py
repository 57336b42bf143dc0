"""The schema of the settings file: tables, keys, types and descriptions."""
