"""The code command: one entry to every frontend."""
