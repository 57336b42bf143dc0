"""Answers permission requests as its argument says, and records them."""

import json
import os
import sys
from pathlib import Path

from mcp_client.servers.lines import Json, answer, handshake, requests, text

TOOLS = [{"name": name, "inputSchema": {"type": "object", "properties": {}}} for name in ("permit", "other")]


def outcome(how: str) -> Json | None:
    match how:
        case "wait":
            return None
        case "crash":
            sys.exit(1)
        case "error":
            return {"content": [], "isError": True}
        case "cancelled":
            return {"content": [], "structuredContent": {"outcome": {"outcome": "cancelled"}}}
        case "as text":
            return text(json.dumps({"outcome": {"outcome": "selected", "optionId": "approved"}}))
        case option:
            chosen = {"outcome": "selected", "optionId": option}
            return {"content": [], "structuredContent": {"outcome": chosen}}


for request in requests():
    match request["method"]:
        case "initialize":
            handshake(request)
        case "tools/list":
            answer(request, {"tools": TOOLS})
        case "tools/call":
            with Path(os.environ["NOTES"]).open("a") as notes:
                notes.write(json.dumps(request["params"]) + "\n")
            if (result := outcome(sys.argv[1])) is not None:
                answer(request, result)
        case _:
            pass
