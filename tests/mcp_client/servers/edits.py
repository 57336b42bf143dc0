"""Reads and writes files like an editor: `edits.py HOW`; keeps its texts and requests in the directory `NOTES`."""

import os
import sys
from pathlib import Path

from mcp_client.servers.lines import answer, handshake, requests, text

NOTES = Path(os.environ["NOTES"])
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read", "write", "other")]

for request in requests():
    match request["method"]:
        case "initialize":
            handshake(request)
        case "tools/list":
            answer(request, {"tools": TOOLS})
        case "tools/call":
            name, arguments = request["params"]["name"], request["params"]["arguments"]
            buffer = NOTES / Path(arguments["path"]).name
            if sys.argv[1] == "refuse" or (name == "read" and not buffer.exists()):
                answer(request, {"content": [], "isError": True})
            elif name == "write" and sys.argv[1] == "hang":
                pass
            elif name == "read":
                answer(request, {"content": [], "structuredContent": {"content": buffer.read_text()}})
            else:
                buffer.write_text(arguments["content"])
                answer(request, text("written"))
        case _:
            pass
