"""Has prompts but no tools; with `declares`, it declares tools anyway."""

import sys

from mcp_client.servers.lines import Json, answer, handshake, requests, send

CAPABILITIES: Json = {"prompts": {}} | ({"tools": {}} if "declares" in sys.argv else {})

for message in requests():
    match message.get("method"):
        case "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "toolless", "version": "1"}
            answer(message, {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": info})
        case "prompts/list":
            answer(message, {"prompts": [{"name": "one"}]})
        case "ping":
            handshake(message)
        case _ if "id" in message:
            send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})
