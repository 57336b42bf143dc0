"""Offers resources and prompts, some of them malformed; `grow` adds one of each and announces it."""

import json
from typing import Any

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
resources: list[Any] = [
    {"uri": "note://one", "name": "One", "mimeType": "text/plain", "size": 3, "description": "The first"},
    {"uri": 7, "name": "odd"},
    "not a resource",
    {"uri": "note://picture"},
    {"uri": "note://odd\u202euri", "name": "Odd"},
]
prompts: list[Any] = [
    {
        "name": "greet",
        "description": "Greet\nsomebody",
        "arguments": [{"name": "who", "required": True}, {"name": "how"}],
    },
    {"description": "without a name"},
    {"name": "two words!"},
]
CONTENTS: Json = {
    "note://one": [{"uri": "note://one", "mimeType": "text/plain", "text": "first"}],
    "note://picture": [{"uri": "note://picture", "mimeType": "image/png", "blob": PIXEL}],
    "note://binary": [{"uri": "note://binary", "blob": "AAAA" * 1000}],
    "note://large": [{"uri": "note://large", "text": "x" * 3_000_000}],
}


def page(request: Json, key: str, listed: list[Any]) -> Json:
    start = int((request.get("params") or {}).get("cursor") or 0)
    found: Json = {key: listed[start : start + 2]}
    return found | ({"nextCursor": str(start + 2)} if start + 2 < len(listed) else {})


def prompt(request: Json) -> None:
    params = request["params"]
    if params["name"] == "empty":
        answer(request, {"messages": []})
        return
    if params["name"] not in {"greet", "two words!"}:
        send({"id": request["id"], "error": {"code": -32602, "message": "no such prompt"}})
        return
    greeting = f"Greet: {json.dumps(params.get('arguments'), sort_keys=True)}"
    messages = [
        {"role": "user", "content": {"type": "text", "text": greeting}},
        {"role": "assistant", "content": {"type": "text", "text": "How?"}},
        {"role": "user", "content": {"type": "image", "data": PIXEL, "mimeType": "image/png"}},
    ]
    answer(request, {"messages": messages})


for message in requests():
    match message.get("method"):
        case "initialize":
            info = {"name": "offers", "version": "1"}
            capabilities: Json = {
                "tools": {},
                "resources": {"listChanged": True},
                "prompts": {"listChanged": True},
            }
            version = message["params"]["protocolVersion"]
            answer(message, {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info})
        case "tools/list":
            answer(message, {"tools": [{"name": "grow", "inputSchema": {"type": "object"}}]})
        case "tools/call":
            resources.append({"uri": "note://new", "name": "New"})
            prompts.append({"name": "new"})
            for _ in range(50):
                send({"method": "notifications/resources/list_changed"})
                send({"method": "notifications/prompts/list_changed"})
            answer(message, text("grown"))
        case "resources/list":
            answer(message, page(message, "resources", resources))
        case "resources/templates/list":
            answer(message, {"resourceTemplates": [{"uriTemplate": "note://{name}", "name": "Notes"}]})
        case "resources/read" if message["params"]["uri"] in CONTENTS:
            answer(message, {"contents": CONTENTS[message["params"]["uri"]]})
        case "resources/read":
            send({"id": message["id"], "error": {"code": -32002, "message": "no such resource"}})
        case "prompts/list":
            answer(message, page(message, "prompts", prompts))
        case "prompts/get":
            prompt(message)
        case _:
            handshake(message)
