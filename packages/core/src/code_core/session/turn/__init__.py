"""One turn: the loop of requests and tool calls, its clock, limits and checkpoint."""
