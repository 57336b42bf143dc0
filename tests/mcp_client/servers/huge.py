"""Has tools with huge schemas, and fails with a huge message."""

from mcp_client.servers.lines import Json, answer, handshake, requests, send

SMALL: Json = {"type": "object", "properties": {"a": {"type": "string"}}}


def schema(size: int) -> Json:
    return {"type": "object", "properties": {"a": {"type": "string", "description": "x" * size}}}


TOOLS = [
    {"name": "small", "inputSchema": SMALL},
    {"name": "large", "description": "d" * 2_000, "inputSchema": schema(30 * 2**20)},
    *({"name": f"medium{number}", "inputSchema": schema(200 * 1024)} for number in range(25)),
]

for message in requests():
    match message.get("method"):
        case "tools/list":
            answer(message, {"tools": TOOLS})
        case "tools/call":
            send({"id": message["id"], "error": {"code": 1, "message": "e" * (8 * 2**20)}})
        case _:
            handshake(message)
