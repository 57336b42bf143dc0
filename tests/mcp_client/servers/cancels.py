"""Never answers calls of the tool `wait`; the tool `cancelled` returns those that were cancelled."""

import json

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text

cancelled: list[Json] = []
started = 0

for message in requests():
    if message.get("method") == "notifications/cancelled":
        cancelled.append(message["params"])
    elif not handshake(message) and message.get("method") == "tools/call":
        if message["params"]["name"] == "wait":
            started += 1
            send({"method": "started", "params": {"n": started}})
        else:
            answer(message, text(json.dumps(cancelled)))
