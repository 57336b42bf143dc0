"""Asks the client questions while it runs a tool, and answers with the results."""

import json

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text

waiting: dict[str, Json] = {}
asked: dict[str, list[Json]] = {}

for message in requests():
    if "method" not in message:
        call = waiting[message["id"].split("/")[0]]
        answers = asked.setdefault(str(call["id"]), [])
        answers.append(message)
        if len(answers) == call["params"]["arguments"].get("count", 1):
            answer(call, text(json.dumps(answers)))
    elif not handshake(message) and message["method"] == "tools/call":
        waiting[str(message["id"])] = message
        arguments = message["params"]["arguments"]
        for n in range(arguments.get("count", 1)):
            identifier = f"{message['id']}/{n}"
            send({"id": identifier, "method": arguments["method"], "params": arguments.get("params", {})})
            if arguments.get("cancel"):
                send({"method": "notifications/cancelled", "params": {"requestId": identifier}})
