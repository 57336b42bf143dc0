"""Lists tools with output schemas, on two pages; `good` matches its schema, `bad` and `none` do not."""

from mcp_client.servers.lines import Json, answer, handshake, requests

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
RESULTS: dict[str, Json] = {
    "good": {"content": [], "structuredContent": {"n": 1}},
    "bad": {"content": [], "structuredContent": {"n": "one"}},
    "none": {"content": []},
    "failed": {"content": [], "isError": True},
    "unlisted": {"content": [], "structuredContent": {"n": "one"}},
}
lists = 0

for message in requests():
    match message:
        case {"method": "tools/list"}:
            lists += 1
            last = (message.get("params") or {}).get("cursor") == "2"
            names = ["none", "failed"] if last else ["good", "bad"]
            tools = [
                {"name": name, "inputSchema": {"type": "object"}, "outputSchema": SCHEMA} for name in names
            ]
            answer(message, {"tools": tools} | ({} if last else {"nextCursor": "2"}))
        case {"method": "tools/call", "params": {"name": "lists"}}:
            answer(message, {"content": [{"type": "text", "text": str(lists)}]})
        case {"method": "tools/call", "params": {"name": name}}:
            answer(message, RESULTS[name])
        case _:
            handshake(message)
