"""What every frontend shows: titles, changes, questions, lines for a terminal. No toolkit, no engine."""
