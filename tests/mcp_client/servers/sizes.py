"""Answers of given sizes, built once and written as fast as possible, for measurements."""

import json

from mcp_client.servers.lines import Json, serve, text, write

bodies: dict[tuple[str, int], bytes] = {}


def body(kind: str, size: int) -> bytes:
    """The `result` of about `size` bytes."""
    if (kind, size) not in bodies:
        bodies.clear()
        if kind == "text":
            result = text("0123456789abcdef" * (size // 16))
        else:
            row = {"id": 123456, "name": "a row of a table", "ok": True, "tags": ["x", "y"], "score": 0.25}
            result = {"content": [], "structuredContent": {"rows": [row] * (size // len(json.dumps(row)))}}
        bodies[kind, size] = json.dumps(result, separators=(",", ":")).encode()
    return bodies[kind, size]


def sized(request: Json) -> None:
    arguments = request["params"]["arguments"]
    write(b'{"jsonrpc":"2.0","id":%s,"result":' % json.dumps(request["id"]).encode())
    write(body(arguments["kind"], arguments["size"]))
    write(b"}\n")


serve({"sized": sized, "small": lambda _: text("small")})
