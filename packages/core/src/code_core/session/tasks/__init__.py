"""The tasks of a session, one at a time; one file for each kind."""
