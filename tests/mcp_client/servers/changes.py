"""A server that changes its tools, and dies on request: `changes.py DIRECTORY [modern]`.

Every start adds a line to `starts`. Its tools are the lines of `tools`; `die` ends it, `change` adds a tool.
"""

import json
import sys
from pathlib import Path
from typing import Any

DIRECTORY, MODERN = Path(sys.argv[1]), "modern" in sys.argv
TOOLS, STARTS = DIRECTORY / "tools", DIRECTORY / "starts"
subscription: Any = None


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def result(request_id: Any, **members: Any) -> None:
    send(id=request_id, result={"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **members})


with STARTS.open("a") as starts:
    starts.write("started\n")
if len(STARTS.read_text().split()) > 1 and (DIRECTORY / "broken").exists():
    sys.exit("broken since then")
for line in sys.stdin:
    message = json.loads(line)
    match message.get("method"):
        case "server/discover" if MODERN:
            capabilities = {"tools": {"listChanged": True}}
            result(message["id"], supportedVersions=["2026-07-28"], capabilities=capabilities)
        case "initialize" if not MODERN:
            info = {"name": "changes", "version": "1"}
            version = message["params"]["protocolVersion"]
            result(message["id"], protocolVersion=version, capabilities={"tools": {}}, serverInfo=info)
        case "tools/list":
            names = TOOLS.read_text().split()
            result(message["id"], tools=[{"name": name, "inputSchema": {"type": "object"}} for name in names])
        case "subscriptions/listen":
            subscription = message["id"]
            key = {"io.modelcontextprotocol/subscriptionId": subscription}
            acknowledged = {"notifications": {"toolsListChanged": True}, "_meta": key}
            send(method="notifications/subscriptions/acknowledged", params=acknowledged)
        case "tools/call" if message["params"]["name"] == "die":
            sys.exit("told to die")
        case "tools/call" if message["params"]["name"] == "change":
            with TOOLS.open("a") as tools:
                tools.write("new\n")
            params = {}
            if MODERN:
                params = {"_meta": {"io.modelcontextprotocol/subscriptionId": subscription}}
            send(method="notifications/tools/list_changed", params=params)
            result(message["id"], content=[])
        case "tools/call" | "ping":
            result(message["id"], content=[])
        case _ if "id" in message:
            send(id=message["id"], error={"code": -32601, "message": "no such method"})
