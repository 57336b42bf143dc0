"""Offers tools for tests: echoes, big answers, its environment, a crash, its process id."""

import json
import os
import signal
import sys
import time

from mcp_client.servers.lines import Json, answer, send, serve, text, write

BLOCK = b"0123456789abcdef" * 4096


def arguments(request: Json) -> Json:
    return request["params"].get("arguments") or {}


def big(request: Json) -> None:
    """A text of `size` bytes, written as fast as the pipe takes it."""
    size, identifier = arguments(request)["size"], json.dumps(request["id"]).encode()
    write(b'{"jsonrpc":"2.0","id":' + identifier + b',"result":{"content":[{"type":"text","text":"')
    for _ in range(size // len(BLOCK)):
        write(BLOCK)
    write(BLOCK[: size % len(BLOCK)] + b'"}]}}\n')


def id_last(request: Json) -> None:
    """Write it like JavaScript servers: the result first, the id at the end."""
    size = arguments(request)["size"]
    body = json.dumps({"result": text("x" * size), "jsonrpc": "2.0", "id": request["id"]})
    write(body.encode() + b"\n")


def structured(request: Json) -> Json:
    rows = [{"row": n, "name": f"name {n}", "ok": n % 2 == 0} for n in range(arguments(request)["rows"])]
    return {"content": [], "structuredContent": {"rows": rows}}


def crash(request: Json) -> None:
    sys.stderr.write("x" * arguments(request).get("stderr", 0))
    sys.stderr.write("\nabout to crash\n")
    sys.stderr.flush()
    match arguments(request):
        case {"signal": number}:
            os.kill(os.getpid(), number)
            signal.pause()
        case {"code": code}:
            os._exit(code)


def slow(request: Json) -> Json:
    time.sleep(arguments(request)["seconds"])
    return text("done")


def notify(request: Json) -> Json:
    for n in range(arguments(request)["count"]):
        send({"method": "custom/event", "params": {"n": n}})
    return text("told")


def progress(request: Json) -> Json:
    token = request["params"]["_meta"]["progressToken"]
    for n in range(3):
        send(
            {
                "method": "notifications/progress",
                "params": {"progressToken": token, "progress": n, "total": 3},
            }
        )
    return text("done")


def twice(request: Json) -> None:
    answer(request, text("first"))
    answer(request, text("second"))
    send({"id": 987654, "result": {}})


def raw(request: Json) -> None:
    """Writes `bytes` (latin-1), in which ID stands for the request's id."""
    template = arguments(request)["bytes"].encode("latin-1")
    write(template.replace(b"ID", json.dumps(request["id"]).encode()))
    if arguments(request).get("exit"):
        os._exit(0)


if __name__ == "__main__":
    serve(
        {
            "echo": lambda request: text(json.dumps(arguments(request))),
            "environment": lambda _: text(json.dumps(dict(os.environ))),
            "folder": lambda _: text(os.getcwd()),  # noqa: PTH109 - the script imports as little as it can
            "pid": lambda _: text(str(os.getpid())),
            "big": big,
            "id_last": id_last,
            "structured": structured,
            "crash": crash,
            "slow": slow,
            "notify": notify,
            "progress": progress,
            "twice": twice,
            "raw": raw,
            "silent": lambda _: None,
        }
    )
