"""Measures starts, replies and sessions of an MCP server of the Codex family, with a model that answers immediately.

    python benches/mcp_server_load.py [--rounds N] NAME=COMMAND…

such as `ours=".venv/bin/code mcp-server" codex="codex mcp-server"`. Servers take turns, so that other load on the
machine affects all of them alike. Prints for each: milliseconds from the start to the answer of `initialize`,
milliseconds of a `codex-reply`, seconds for 50 concurrent sessions in one process, and its peak memory in MiB.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPLIES = 20
SESSIONS = 50
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Model(BaseHTTPRequestHandler):
    """Answers every request with the same short message."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        content = [{"type": "output_text", "text": "done", "annotations": []}]
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {"id": "r"}},
            {
                "type": "response.output_item.done",
                "output_index": 0,
                "item": {"type": "message", "id": "m", "role": "assistant", "content": content},
            },
            {"type": "response.completed", "response": {"id": "r", "usage": usage}},
        ]
        body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class Server:
    """A running server, and lines to and from it."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        home = folder / "home"
        (folder / "work").mkdir(parents=True)
        home.mkdir()
        (home / "config.toml").write_text(
            'model_provider = "m"\nmodel = "gpt-5-codex"\n[model_providers.m]\nname = "m"\n'
            f'base_url = "http://127.0.0.1:{port}/v1"\nenv_key = "BENCH_KEY"\nwire_api = "responses"\n'
        )
        keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environment = {**keep, "HOME": str(home), "CODE_HOME": str(home), "CODEX_HOME": str(home)}
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder / "work",
            env={**environment, "BENCH_KEY": "x" * 20},
        )
        self._id = 0

    def send(self, method: str, params: dict[str, Any]) -> int:
        self._id += 1
        self._write({"id": self._id, "method": method, "params": params})
        return self._id

    def handshake(self) -> float:
        """Seconds from the start to the answer."""
        self.wait({self.send("initialize", HELLO)})
        took = time.perf_counter() - self.begun
        self._write({"method": "notifications/initialized"})
        return took

    def call(self, tool: str, **arguments: Any) -> int:
        return self.send("tools/call", {"name": tool, "arguments": arguments})

    def wait(self, ids: set[int]) -> list[dict[str, Any]]:
        """The results of these requests."""
        assert self.process.stdout is not None
        results = []
        while ids:
            message = json.loads(self.process.stdout.readline())
            if message.get("id") in ids and "method" not in message:
                ids = ids - {message["id"]}
                assert not message["result"].get("isError"), message
                results.append(message["result"])
        return results

    def memory(self) -> float:
        """The peak memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()


def measured(command: list[str], folder: Path, port: int) -> dict[str, float]:
    """One round."""
    server = Server(command, folder, port)
    figures = {"initialize ms": server.handshake() * 1e3}
    [first] = server.wait({server.call("codex", prompt="hi")})
    ids = first.get("structuredContent") or {}
    thread = ids.get("threadId") or ids.get("conversationId")
    begun = time.perf_counter()
    for _ in range(REPLIES):
        server.wait({server.call("codex-reply", conversationId=thread, threadId=thread, prompt="more")})
    figures["codex-reply ms"] = (time.perf_counter() - begun) / REPLIES * 1e3
    begun = time.perf_counter()
    server.wait({server.call("codex", prompt="hi") for _ in range(SESSIONS)})
    figures["50 sessions s"] = time.perf_counter() - begun
    figures["memory MiB"] = server.memory()
    server.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("servers", nargs="+")
    options = parser.parse_args()
    commands = {
        name: shlex.split(command) for name, _, command in (one.partition("=") for one in options.servers)
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as model, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=model.serve_forever, daemon=True).start()
        for number in range(options.rounds):
            for name, command in commands.items():
                where = Path(folder, f"{name}-{number}")
                rounds[name].append(measured(command, where, model.server_address[1]))
        model.shutdown()
    for name, figures in rounds.items():
        medians = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        print(name, *(f"{key} {value:.1f}" for key, value in medians.items()), sep="\t")


if __name__ == "__main__":
    main()
