"""A server of one era, with a choice of behaviours: `eras.py KIND`; see `test_eras.py`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

KIND = sys.argv[1]
MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def fail(request_id: Any, code: int, data: Any = None) -> None:
    send(id=request_id, error={"code": code, "message": KIND, "data": data})


def discovered(request_id: Any) -> None:
    stamp = {"io.modelcontextprotocol/serverInfo": {"name": KIND, "version": "1"}}
    result = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "_meta": stamp}
    send(id=request_id, result={**result, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})


def handshake(request_id: Any) -> None:
    info = {"name": KIND, "version": "1"}
    send(id=request_id, result={"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info})


def ask(key: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    return {key: {"method": "elicitation/create", "params": {"message": key, "requestedSchema": schema}}}


def call(request_id: Any, params: dict[str, Any]) -> None:
    answers, state = params.get("inputResponses"), params.get("requestState")
    match params["name"]:
        case "asks" if state is None:
            both = {**ask("one"), **ask("two")}
            send(
                id=request_id,
                result={"resultType": "input_required", "inputRequests": both, "requestState": "s1"},
            )
        case "asks" if state == "s1":
            send(id=request_id, result={"resultType": "input_required", "requestState": json.dumps(answers)})
        case "asks":
            text = json.dumps([state, answers])
            send(
                id=request_id, result={"resultType": "complete", "content": [{"type": "text", "text": text}]}
            )
        case "asks forever":
            send(id=request_id, result={"resultType": "input_required", "inputRequests": ask("one")})
        case "odd":
            send(id=request_id, result={"resultType": "odd"})
        case "answers in words":
            send(
                id=request_id,
                result={"resultType": "input_required", "inputRequests": {"a": {"method": "x"}}},
            )
        case "server asks":
            send(id="q", method="elicitation/create", params=ask("one")["one"]["params"])
            refused = json.loads(sys.stdin.readline())
            text = json.dumps(refused["error"]["code"])
            send(
                id=request_id, result={"resultType": "complete", "content": [{"type": "text", "text": text}]}
            )
        case _:
            text = json.dumps(params.get("_meta", {}), sort_keys=True)
            send(
                id=request_id, result={"resultType": "complete", "content": [{"type": "text", "text": text}]}
            )


if KIND.startswith("slow"):
    time.sleep(1.5)
locked = False
for line in sys.stdin:
    message = json.loads(line)
    if "--log" in sys.argv:
        with Path(sys.argv[-1]).open("a") as log:
            log.write(message["method"] + "\n")
    if "id" not in message:
        continue
    match KIND, message["method"]:
        case "mortal", method if method != "initialize" and not locked:
            sys.exit("expected initialize")
        case ("silent", "server/discover") | ("mute", _):
            pass
        case "disjoint", _:
            fail(message["id"], -32022, {"supported": ["2031-01-01"]})
        case "picky", "server/discover" if not locked:
            locked = True
            fail(message["id"], -32022, {"supported": [MODERN]})
        case "odd discovery", "server/discover":
            send(id=message["id"], result={"hello": 1})
        case "legacy" | "silent" | "mortal" | "odd discovery" | "slow legacy", "initialize":
            locked = True
            handshake(message["id"])
        case "modern" | "slow modern" | "picky", "server/discover":
            discovered(message["id"])
        case "modern" | "slow modern" | "picky", "initialize":
            fail(message["id"], -32022, {"supported": [MODERN]})
        case "modern" | "slow modern" | "picky", _ if VERSION not in message["params"].get("_meta", {}):
            fail(message["id"], -32602)
        case _, "tools/call":
            call(message["id"], message["params"])
        case _, "tools/list":
            send(id=message["id"], result={"tools": []})
        case _, "ping":
            send(id=message["id"], result={})
        case _:
            fail(message["id"], -32601)
