"""The tables of the settings file: their keys, their types, their meaning."""
