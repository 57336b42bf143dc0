"""Reports where and how it runs, and tries to write to the given files."""

import json
import os
import socket
import sys

from mcp_client.servers.lines import Json, answer, handshake, requests, text


def attempt(arguments: Json) -> str:
    match arguments:
        case {"write": path}:
            with open(path, "w") as file:  # noqa: PTH123 - the script imports as little as it can
                file.write("written")
            return "written"
        case {"connect": port}:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return "connected"
        case _:
            facts = {"cwd": os.getcwd(), "path": sys.path, "env": dict(os.environ)}  # noqa: PTH109 - as above
            return json.dumps(facts)


for message in requests():
    match message:
        case {"method": "tools/list"}:
            answer(message, {"tools": [{"name": "try", "inputSchema": {"type": "object"}}]})
        case {"method": "tools/call", "params": params}:
            try:
                answer(message, text(attempt(params.get("arguments") or {})))
            except OSError as error:
                answer(message, {**text(f"refused: {error.strerror}"), "isError": True})
        case _:
            handshake(message)
