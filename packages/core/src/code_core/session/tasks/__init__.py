"""What a session can do, one thing at a time: a file for each kind of task."""
