"""Begins to read half a second after the handshake; the tool `count` returns the number of calls, including its own."""

import time

from mcp_client.servers.lines import answer, handshake, requests, text

calls = 0
for message in requests():
    if not handshake(message):
        calls += 1
        if message["params"]["name"] == "count":
            answer(message, text(str(calls)))
    elif message["method"] == "notifications/initialized":
        time.sleep(0.5)
