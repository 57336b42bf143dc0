"""Measures large answers and small calls of the MCP client: buffer sizes, the SDK's transport, the floors.

Every figure is the best of several rounds in which all contenders take turns, so that other
load affects them alike; compare the ratios. The floors use neither anyio nor the SDK's session:
`raw read` only reads the line from the pipe, `floor` also parses and validates it once.

    uv run pytest benches/test_mcp_client_buffer.py -s -p no:xdist
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import anyio
import mcp_types
import pytest
from chart import line_chart
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from pydantic_core import from_json

from code_mcp_client import McpClient, McpClientConfig

CHARTS = Path(__file__).parents[1] / ".benchmarks"
TESTS = str(Path(__file__).parents[1] / "tests")
ARGV = ["-S", "-m", "mcp_client.servers.sizes"]
ENVIRONMENT = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"}
CAPACITIES = {"4 KiB": 4096, "64 KiB": 65536, "256 KiB": 2**18, "1 MiB": 2**20, "4 MiB": 2**22}
SIZES = {"100 KB": 10**5, "2 MB": 2 * 2**20, "16 MB": 16 * 2**20, "64 MB": 64 * 2**20, "128 MB": 128 * 2**20}
SDK_BUDGET_SECONDS = 30.0

Measured = Callable[[str, int], Awaitable[None]]


class Floor:
    """Reads the server with plain blocking system calls."""

    def __init__(self, *, parse: bool) -> None:
        import fcntl

        self._parse = parse
        self._fd, write = os.pipe()
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, 2**20)
        self._process = subprocess.Popen(
            [sys.executable, *ARGV], stdin=subprocess.PIPE, stdout=write, env={**os.environ, **ENVIRONMENT}
        )
        os.close(write)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.communicate()
        os.close(self._fd)

    async def call(self, kind: str, size: int) -> None:
        assert self._process.stdin is not None
        request = {
            "id": 1,
            "method": "tools/call",
            "params": {"name": "sized", "arguments": {"kind": kind, "size": size}},
        }
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = bytearray()
        while not line.endswith(b"\n"):
            line += os.read(self._fd, 2**18)
        if self._parse:
            with collector_off():
                message = from_json(line)
            del line
            mcp_types.CallToolResult.model_validate(message["result"], by_name=False)


@contextmanager
def collector_off() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def ours(stack: AsyncExitStack, capacity: int) -> McpClient:
    config = McpClientConfig(buffer_capacity=capacity)
    client = await stack.enter_async_context(
        McpClient.stdio(sys.executable, ARGV, ENVIRONMENT, config=config)
    )
    await client.initialize()
    await client.list_tools()
    return client


async def sdk(stack: AsyncExitStack) -> ClientSession:
    server = StdioServerParameters(command=sys.executable, args=ARGV, env=ENVIRONMENT)
    streams = await stack.enter_async_context(stdio_client(server))
    session = await stack.enter_async_context(ClientSession(*streams))
    await session.initialize()
    await session.list_tools()
    return session


async def best_of_turns(
    contenders: dict[str, Measured], kind: str, size: int, rounds: int
) -> dict[str, float]:
    """Seconds of each contender's best round; the first round only warms up, unless it is the only one."""
    best = dict.fromkeys(contenders, float("inf"))
    for number in range(rounds + 1):
        for name, call in contenders.items():
            gc.collect()
            started = time.perf_counter()
            await call(kind, size)
            if number or not rounds:
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def row(*cells: str) -> None:
    print("| " + " | ".join(f"{cell:>10}" for cell in cells) + " |")


@pytest.mark.parametrize("kind", ["text", "structured"])
def test_large_answers(kind: str, figures: dict[str, float]) -> None:
    async def main() -> dict[str, float]:
        ratios: dict[str, float] = {}
        lines: dict[str, list[tuple[float, float]]] = {}
        print(f"\n{kind}: milliseconds for one call (in brackets: times the floor)")
        row("payload", "raw read", "floor", *CAPACITIES, "SDK")
        async with AsyncExitStack() as stack:
            raw = await stack.enter_async_context(Floor(parse=False))
            floor = await stack.enter_async_context(Floor(parse=True))
            clients = {name: await ours(stack, capacity) for name, capacity in CAPACITIES.items()}
            session = await sdk(stack)

            def calling(client: McpClient) -> Measured:
                async def call(kind: str, size: int) -> None:
                    await client.call_tool("sized", {"kind": kind, "size": size})

                return call

            async def call_sdk(kind: str, size: int) -> None:
                await session.call_tool("sized", {"kind": kind, "size": size})

            expected = 0.0
            previous = 0
            for label, size in SIZES.items():
                contenders: dict[str, Measured] = {"raw read": raw.call, "floor": floor.call}
                contenders |= {name: calling(client) for name, client in clients.items()}
                # Its time is quadratic in the size, so above a second it gets only one turn.
                expected *= (size / previous) ** 2 if previous else 1
                if expected < 1:
                    contenders["SDK"] = call_sdk
                rounds = 20 if size < 2**20 else 7 if size < 2**25 else 3
                best = await best_of_turns(contenders, kind, size, rounds)
                if 1 <= expected < SDK_BUDGET_SECONDS:
                    best |= await best_of_turns({"SDK": call_sdk}, kind, size, rounds=0)
                cells = [f"{best['raw read'] * 1e3:.1f}", f"{best['floor'] * 1e3:.1f}"]
                cells += [
                    f"{best[name] * 1e3:.1f} ({best[name] / best['floor']:.2f})" if name in best else "-"
                    for name in (*CAPACITIES, "SDK")
                ]
                row(label, *cells)
                for name, seconds in best.items():
                    figures[f"{kind}, {label}, {name}: ms"] = seconds * 1e3
                    lines.setdefault(name, []).append((size / 2**20, seconds * 1e3))
                ratios[label] = best["256 KiB"] / best["floor"]
                if "SDK" in best:
                    expected, previous = best["SDK"], size
        path = CHARTS / f"mcp-client-{kind}.svg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(line_chart(f"One call with a {kind} result", "MiB", "milliseconds", lines))
        print(f"chart: {path}")
        return ratios

    ratios = anyio.run(main)
    # The target is 1.3; the margin is for shared machines. This must detect quadratic work.
    for label in ("2 MB", "16 MB", "64 MB", "128 MB"):
        assert ratios[label] < 2, (label, ratios)


def test_small_calls(figures: dict[str, float]) -> None:
    async def in_flight(call: Callable[[], Awaitable[Any]], together: int, total: int) -> float:
        async def worker() -> None:
            for _ in range(total // together):
                await call()

        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(together):
                tasks.start_soon(worker)
        return (time.perf_counter() - started) / total

    async def main() -> None:
        async with AsyncExitStack() as stack:
            client = await ours(stack, 2**18)
            session = await sdk(stack)
            contenders: dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]] = {
                "ping": (client.ping, session.send_ping),
                "tools/call": (
                    lambda: client.call_tool("small", {}),
                    lambda: session.call_tool("small", {}),
                ),
            }
            print("\nsmall calls: microseconds each")
            row("call", "in flight", "ours", "SDK", "SDK/ours")
            for name, (own, other) in contenders.items():
                for together in (1, 64):
                    best = [float("inf"), float("inf")]
                    for _ in range(5):
                        for index, call in enumerate((own, other)):
                            best[index] = min(best[index], await in_flight(call, together, 1280))
                    mine, theirs = best
                    figures[f"{name}, {together} in flight, ours: us"] = mine * 1e6
                    figures[f"{name}, {together} in flight, SDK / ours"] = theirs / mine
                    row(
                        name,
                        str(together),
                        f"{mine * 1e6:.0f}",
                        f"{theirs * 1e6:.0f}",
                        f"{theirs / mine:.1f}",
                    )
                    assert mine < theirs

    anyio.run(main)


MEMORY = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import test_mcp_client_buffer as bench
from contextlib import AsyncExitStack

async def main(who, kind, size):
    async with AsyncExitStack() as stack:
        if who == "floor":
            floor = await stack.enter_async_context(bench.Floor(parse=True))
            call = floor.call
        else:
            client = await bench.ours(stack, 2**18)
            call = lambda kind, size: client.call_tool("sized", {"kind": kind, "size": size})
        before = peak()
        for _ in range(3):
            await call(kind, size)
        print(peak() - before)

def peak():  # not `ru_maxrss`, which begins with the parent's
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

asyncio.run(main(sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


@pytest.mark.parametrize("kind", ["text", "structured"])
def test_peak_memory(kind: str, figures: dict[str, float]) -> None:
    size = SIZES["64 MB"]

    def peak(who: str) -> float:
        argv = [sys.executable, "-c", MEMORY, str(Path(__file__).parent), who, kind, str(size)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=True, env={**os.environ, **ENVIRONMENT}
        )
        return int(done.stdout) / 1024

    floor, mine = peak("floor"), peak("ours")
    print(
        f"\n{kind}: peak memory of a 64 MB answer: floor {floor:.0f} MiB, ours {mine:.0f} MiB ({mine / floor:.2f})"
    )
    figures[f"{kind}, 64 MB, peak memory, ours / floor"] = mine / floor
    assert mine / floor < 1.5
