"""Lists its tools, on pages of two; its argument is a name that distinguishes it from others."""

import json
import os
import sys
import time
from hashlib import sha256

from mcp_client.servers.lines import Json, answer, handshake, requests, send, text, write

BLOCK = b"0123456789abcde\n" * 4096
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ANY = {"type": "object", "properties": {}}
TOOLS = [
    {
        "name": "echo",
        "description": "Says it back.",
        "inputSchema": ANY,
        "annotations": {"readOnlyHint": True},
    },
    {"name": "big", "inputSchema": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    {"name": "picture", "inputSchema": ANY},
    {"name": "structured", "inputSchema": ANY},
    {"name": "fail", "inputSchema": ANY},
    {"name": "ask", "inputSchema": ANY},
    {"name": "wait", "inputSchema": ANY},
    {"name": "crash", "inputSchema": ANY},
    {"name": "progress", "inputSchema": ANY},
]


def listing(request: Json) -> Json:
    start = int((request.get("params") or {}).get("cursor") or 0)
    page: Json = {"tools": TOOLS[start : start + 2]}
    return page | ({"nextCursor": str(start + 2)} if start + 2 < len(TOOLS) else {})


def big(request: Json, size: int) -> None:
    """`size` bytes of lines; the last one is their SHA-256."""
    body = (BLOCK * (size // len(BLOCK) + 1))[:size]
    digest = sha256(body).hexdigest().encode()
    identifier = json.dumps(request["id"]).encode()
    write(b'{"jsonrpc":"2.0","id":' + identifier + b',"result":{"content":[{"type":"text","text":"')
    write(body.replace(b"\n", b"\\n"))
    write(b"\\n" + digest + b'"}]}}\n')


def progress(request: Json) -> None:
    """Send the notifications that the arguments name, then `flood` more with long messages."""
    params = request["params"]
    token = json.dumps(params["_meta"]["progressToken"])
    long = "x" * 2_000
    flood = [
        f'"progress":{number},"message":"{long}"' for number in range(params["arguments"].get("flood", 0))
    ]
    for fields in [*params["arguments"]["steps"], *flood]:
        notice = f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},{fields}}}}}'
        write(notice.encode() + b"\n")
        time.sleep(params["arguments"].get("pause", 0))


def call(request: Json) -> Json | None:
    arguments = request["params"].get("arguments") or {}
    match request["params"]["name"]:
        case "echo":
            return text(json.dumps([*sys.argv[1:], arguments]))
        case "big":
            big(request, arguments["size"])
        case "picture":
            image = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
            return {"content": [{"type": "text", "text": "look"}, image]}
        case "structured":
            return {
                "content": [{"type": "text", "text": "the same as text"}],
                "structuredContent": {"a": [1, "é"]},
            }
        case "fail":
            return {**text("it went wrong"), "isError": True}
        case "ask":
            schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
            page = {"mode": "url", "elicitationId": "e", "url": arguments.get("url")}
            params = page if "url" in arguments else {"requestedSchema": schema}
            send({"id": "q", "method": "elicitation/create", "params": {"message": "Who?", **params}})
            result = next(requests())["result"]
            if "url" in arguments and result["action"] == "accept":
                for elicitation in ("unknown", 7, "e", "e"):
                    done = {"elicitationId": elicitation}
                    send({"method": "notifications/elicitation/complete", "params": done})
            return text(json.dumps(result))
        case "progress":
            progress(request)
            return text("finished")
        case "crash":
            sys.stderr.write("out of cheese\n")
            sys.stderr.flush()
            os._exit(3)
        case "wait":
            pass
    return None


for message in requests():
    if message.get("method") == "tools/list":
        answer(message, listing(message))
    elif message.get("method") == "notifications/cancelled":
        sys.stderr.write("cancelled\n")
        with open(os.environ["NOTES"], "a") as notes:  # noqa: PTH123 - the script imports as little as it can
            notes.write("cancelled\n")
    elif not handshake(message) and message.get("method") == "tools/call":
        result = call(message)
        if result is not None:
            answer(message, result)
