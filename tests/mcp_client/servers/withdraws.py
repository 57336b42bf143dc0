"""Asks for two fields, and once the file named by its argument exists, withdraws the question or ends.

Arguments: `cancel` or `end`, and the file.
"""

import os
import sys
import time

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text

HOW, FILE = sys.argv[1:3]
FIELDS = {"first": {"type": "string"}, "second": {"type": "string"}}
PARAMS = {"message": "Who are you?", "requestedSchema": {"type": "object", "properties": FIELDS}}
TOOL = {"name": "ask", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


def ask(call: Json) -> None:
    send({"id": "q", "method": "elicitation/create", "params": PARAMS})
    while not os.path.exists(FILE):  # noqa: PTH110 - starts fast
        time.sleep(0.01)
    if HOW == "end":
        sys.exit()
    send({"method": "notifications/cancelled", "params": {"requestId": "q"}})
    answer(call, text("never mind"))


for message in requests():
    if message.get("method") == "tools/list":
        answer(message, {"tools": [TOOL]})
    elif not handshake(message) and message.get("method") == "tools/call":
        ask(message)
