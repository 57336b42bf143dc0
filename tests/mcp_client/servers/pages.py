"""Refuses its tool until the user has visited its pages."""

import json
import time

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text

calls = 0


def refuse(request: Json, data: object) -> None:
    error = {"code": -32042, "message": "open the page first", "data": data}
    send({"id": request["id"], "error": error})


for message in requests():
    if not handshake(message) and message.get("method") in {"tools/call", "prompts/get"}:
        calls += 1
        arguments = message["params"]["arguments"]
        wanted = json.loads(arguments["pages"])  # the error of each call
        if calls > len(wanted):
            result = text(f"after {calls} calls")
            answer(message, result if message["method"] == "tools/call" else {"messages": []})
            continue
        refuse(message, wanted[calls - 1])
        time.sleep(float(arguments.get("pause", "0")))
        for identifier in json.loads(arguments.get("done", "[]")):
            send({"method": "notifications/elicitation/complete", "params": {"elicitationId": identifier}})
