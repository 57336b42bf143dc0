"""The proxy against a direct connection, and against the Rust `codex responses-api-proxy` where it is found.

Contenders take turns in each round, so that the machine's moods hit them alike; read the ratios.
Client and upstream are processes of their own, the same for all contenders.

    npm install --prefix /tmp/codex @openai/codex     # or codex on PATH, or CODEX=/path/to/codex
    uv run pytest benches/test_proxy.py -s -p no:xdist
"""

import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

KEY = b"sk-bench-0123456789\n"
ROUNDS = 3
STREAMS = 500
LISTENING = r"listening on 127\.0\.0\.1:(\d+)"


@dataclass(frozen=True)
class Contender:
    name: str
    port: int
    process: psutil.Process | None = None


def codex() -> str | None:
    installed = Path("/tmp/codex/node_modules/.bin/codex")  # noqa: S108 - where the line above puts it
    return (
        os.environ.get("CODEX") or shutil.which("codex") or (str(installed) if installed.exists() else None)
    )


@contextmanager
def started(command: list[str], given: bytes = b"") -> Iterator[tuple[int, psutil.Process, float]]:
    """The port that a server says it listens on, its process, and the seconds until then."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(given)
        process.stdin.close()
        try:
            for said in process.stderr:
                if found := re.search(LISTENING, said.decode()):
                    spent = time.perf_counter() - begun
                    yield int(found[1]), listening(process.pid, int(found[1])), spent
                    return
            raise AssertionError(f"{command[0]} ended with {process.wait()}")
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()


def listening(pid: int, port: int) -> psutil.Process:
    """The process that has the port: a launcher may stand before it."""
    top = psutil.Process(pid)
    for process in (top, *top.children(recursive=True)):
        if any(each.laddr.port == port for each in process.net_connections("tcp") if each.laddr):
            return process
    return top


def ours(url: str) -> list[str]:
    isolated = ["-I", "-X", "disable-remote-debug", "-m", "code_responses_api_proxy"]
    return [sys.executable, *isolated, "--upstream-url", url]


@pytest.fixture(scope="module")
def contenders() -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        upstream, _, _ = stack.enter_context(started([sys.executable, __file__, "upstream"]))
        url = f"http://127.0.0.1:{upstream}/v1/responses"
        commands = {"ours": ours(url)}
        if rust := codex():
            commands["codex"] = [rust, "responses-api-proxy", "--upstream-url", url]
        else:
            print("\ncodex is not installed: no comparison with it")
        found = [Contender("direct", upstream)]
        for name, command in commands.items():
            port, process, _ = stack.enter_context(started(command, KEY))
            found.append(Contender(name, port, process))
        yield found


def measure(contender: Contender, what: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, __file__, what, str(contender.port), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def in_turns(contenders: list[Contender], what: str, *arguments: object) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for _ in range(ROUNDS):
        for contender in contenders:
            results[contender.name].append(measure(contender, what, *arguments))
    return results


def median(results: list[dict[str, Any]], name: str) -> float:
    return float(statistics.median(result[name] for result in results))


@pytest.mark.parametrize(
    ("client", "together"),
    [("prompt", 1), ("prompt", 16), ("prompt", 64), ("ordinary", 1), ("ordinary", 16), ("ordinary", 64)],
)
def test_request_rate(client: str, together: int, contenders: list[Contender]) -> None:
    results = in_turns(contenders, "requests", together, 1.5, 1024, 1024, client)
    direct = median(results["direct"], "rate"), median(results["direct"], "p50")
    print(f"\n{together} at once, bodies of 1 KiB, {client} acknowledgements of the client")
    for name, measured in results.items():
        rate, latency = median(measured, "rate"), median(measured, "p50")
        print(
            f"  {name:7} {rate:8.0f}/s ({rate / direct[0]:.2f} of direct)"
            f"  p50 {latency * 1e6:7.0f} us, added {(latency - direct[1]) * 1e6:7.0f}"
            f"  p99 {median(measured, 'p99') * 1e6:7.0f} us"
        )
    if "codex" in results:
        print(f"  ours / codex: {median(results['ours'], 'rate') / median(results['codex'], 'rate'):.1f}")
    assert median(results["ours"], "rate") > 0.1 * direct[0]


@pytest.mark.parametrize(("sent", "received"), [(2**20, 100), (2**24, 100), (100, 2**20), (100, 2**24)])
def test_large_bodies(sent: int, received: int, contenders: list[Contender]) -> None:
    results = in_turns(contenders, "requests", 1, 1.0, sent, received, "prompt")
    direct = median(results["direct"], "p50")
    print(f"\n{sent / 2**20:.0f} MiB up, {received / 2**20:.0f} MiB down")
    for name, measured in results.items():
        spent = median(measured, "p50")
        print(f"  {name:7} {spent * 1e3:8.2f} ms ({spent / direct:.2f} of direct)")
    assert median(results["ours"], "p50") < 20 * direct


def show_delays(results: dict[str, list[dict[str, Any]]]) -> None:
    for name, measured in results.items():
        labels = ("first_p50", "first_p99", "event_p50", "event_p99")
        print(
            f"  {name:7} " + "  ".join(f"{label} {median(measured, label) * 1e3:8.2f} ms" for label in labels)
        )


def test_one_stream_of_events(contenders: list[Contender]) -> None:
    results = in_turns(contenders, "streams", 1, 20, 0.05)
    print("\none stream, an event every 50 ms: delay of the first byte, and of an event")
    show_delays(results)
    assert median(results["ours"], "event_p50") < 0.005


def test_many_slow_streams(contenders: list[Contender]) -> None:
    print(f"\n{STREAMS} streams begun at once, each an event every 500 ms")
    for contender in contenders:
        command = [sys.executable, __file__, "streams", str(contender.port), str(STREAMS), "8", "0.5"]
        most_memory = most_threads = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            while client.poll() is None:
                if contender.process is not None:
                    most_memory = max(most_memory, contender.process.memory_info().rss)
                    most_threads = max(most_threads, contender.process.num_threads())
                time.sleep(0.1)
            assert client.stdout
            show_delays({contender.name: [json.loads(client.stdout.read())]})
        if contender.process is not None:
            print(f"          {most_memory / 2**20:.0f} MiB, {most_threads} threads")
        if contender.name == "ours":
            assert most_threads <= 5
            assert most_memory < 60 * 2**20


def test_start_up() -> None:
    commands = {"ours": ours("https://127.0.0.1:1/")}
    if rust := codex():
        commands["codex"] = [rust, "responses-api-proxy"]
    spent: dict[str, list[float]] = {"python": [], **{name: [] for name in commands}}
    for _ in range(10):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        spent["python"].append(time.perf_counter() - begun)
        for name, command in commands.items():
            with started(command, KEY) as (_, _, seconds):
                spent[name].append(seconds)
    print("\nuntil it listens (codex: with its launcher)")
    for name, measured in spent.items():
        print(
            f"  {name:7} best {min(measured) * 1e3:6.1f} ms, median {statistics.median(measured) * 1e3:6.1f} ms"
        )
    print(f"  added to the interpreter: {(min(spent['ours']) - min(spent['python'])) * 1e3:.1f} ms")


def acknowledge_at_once(transport: asyncio.Transport) -> None:
    """Otherwise a server that writes a head and a body apart, without TCP_NODELAY, waits 40 ms for the kernel's."""
    if hasattr(socket, "TCP_QUICKACK"):
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Upstream(asyncio.Protocol):
    """Answers `x-bytes: N` with that many bytes, `x-events: COUNT SECONDS` with a stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.left = 0
        self.task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        acknowledge_at_once(self.transport)
        if not self.left:
            head, found, data = (self.head + data).partition(b"\r\n\r\n")
            self.head = head
            if not found:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self.left = int(length[1]) if length else 0
        self.left -= len(data)
        if self.left == 0:
            head, self.head = self.head, b""
            self.answer(head)

    def answer(self, head: bytes) -> None:
        if events := re.search(rb"(?i)\r\nx-events: *(\d+) ([0-9.]+)", head):
            self.task = asyncio.get_running_loop().create_task(self.stream(int(events[1]), float(events[2])))
            return
        size = re.search(rb"(?i)\r\nx-bytes: *(\d+)", head)
        count = int(size[1]) if size else 0
        start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % count
        self.transport.write(start + bytes(count))

    async def stream(self, count: int, pause: float) -> None:
        kind = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(b"HTTP/1.1 200 OK\r\n" + kind)
        for _ in range(count):
            event = b"data: %d\n\n" % time.monotonic_ns()
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(pause)
        self.transport.write(b"0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.task:
            self.task.cancel()


class Client(asyncio.Protocol):
    """Sends `request` again and again, or once where `events` are to be timed.

    A `prompt` one acknowledges at once, which no ordinary client does.
    """

    def __init__(
        self, request: bytes, spent: list[float], events: list[float] | None = None, *, prompt: bool = True
    ) -> None:
        self.request, self.spent, self.events, self.prompt = request, spent, events, prompt
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.begun = time.monotonic()
        self.got = b""
        self.left = -1
        self.chunked = False
        self.transport.write(self.request)
        if self.prompt:
            acknowledge_at_once(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.events is not None:
            self.timed(data, self.events)
            return
        if self.prompt:
            acknowledge_at_once(self.transport)
        if self.left < 0:
            head, found, data = (self.got + data).partition(b"\r\n\r\n")
            self.got = head
            if not found:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self.chunked = length is None
            self.got = b""
            self.left = int(length[1]) if length else sys.maxsize
        self.left -= len(data)
        if self.chunked:  # the body is zeros: nothing in it looks like the last chunk
            self.got = (self.got + data[-5:])[-5:]
            self.left = 0 if self.got == b"0\r\n\r\n" else self.left
        if self.left == 0:
            self.spent.append(time.monotonic() - self.begun)
            self.ask()

    def timed(self, data: bytes, events: list[float]) -> None:
        if not self.got:
            self.spent.append(time.monotonic() - self.begun)
        now = time.monotonic_ns()
        events.extend((now - int(stamp)) / 1e9 for stamp in re.findall(rb"data: (\d+)\n", data))
        self.got = (self.got + data)[-16:]
        if self.got.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.ended.done():
            self.ended.set_result(None)


def request(size: int, fields: str) -> bytes:
    kind = "Host: 127.0.0.1\r\nContent-Type: application/json"
    return (
        f"POST /v1/responses HTTP/1.1\r\n{kind}\r\n{fields}\r\nContent-Length: {size}\r\n\r\n".encode()
        + bytes(size)
    )


def quantiles(name: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"{name}p50": ordered[len(ordered) // 2], f"{name}p99": ordered[len(ordered) * 99 // 100]}


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop, told to end the process at the first error: a client that waits measures nothing."""

    def fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        os._exit(1)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fail)
    return loop


async def run_requests(
    port: int, together: int, duration: float, sent: int, received: int, client: str
) -> dict[str, float]:
    loop = running_loop()
    spent: list[float] = []
    data = request(sent, f"x-bytes: {received}")
    made = [
        await loop.create_connection(
            lambda: Client(data, spent, prompt=client == "prompt"), "127.0.0.1", port
        )
        for _ in range(together)
    ]
    await asyncio.sleep(0.2)
    spent.clear()
    begun = time.monotonic()
    await asyncio.sleep(duration)
    rate = len(spent) / (time.monotonic() - begun)
    for transport, _ in made:
        transport.abort()
    return {"rate": rate, **quantiles("", spent)}


async def run_streams(port: int, together: int, count: int, pause: float) -> dict[str, float]:
    loop = running_loop()
    first: list[float] = []
    events: list[float] = []
    data = request(1024, f"x-events: {count} {pause}")
    made = [
        await loop.create_connection(lambda: Client(data, first, events), "127.0.0.1", port)
        for _ in range(together)
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(client.ended for _, client in made))
    for transport, _ in made:
        transport.abort()
    assert len(events) == together * count, (len(events), together * count)
    return {**quantiles("first_", first), **quantiles("event_", events)}


async def run_upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["upstream"]:
            asyncio.run(run_upstream())
        case ["requests", port, together, duration, sent, received, client]:
            measured = run_requests(
                int(port), int(together), float(duration), int(sent), int(received), client
            )
            print(json.dumps(asyncio.run(measured)))
        case ["streams", port, together, count, pause]:
            print(json.dumps(asyncio.run(run_streams(int(port), int(together), int(count), float(pause)))))
