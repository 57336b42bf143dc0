"""One turn: the loop of requests and tool calls, with its clock, limits and checkpoint."""
