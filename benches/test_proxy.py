"""Compares the proxy with a direct connection and, if it is installed (see `rust.py`), the Rust `codex responses-api-proxy`.

Contenders take turns in each round, so that other load affects them alike; compare the ratios.
Client and upstream are separate processes, the same for all contenders.

    uv run pytest benches/test_proxy.py -s -p no:xdist
"""

import json
import re
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
from rust import codex

KEY = (
    b"sk-proj-" + b"aB3xY9" * 8 + b"\n"
)  # as long as a real one, because the speed of the search depends on that
ROUNDS = 3
STREAMS = 500
LOAD = str(Path(__file__).with_name("proxy_load.py"))
LISTENING = r"listening on 127\.0\.0\.1:(\d+)"


@dataclass(frozen=True)
class Contender:
    name: str
    port: int
    process: psutil.Process | None = None


@contextmanager
def started(command: list[str], given: bytes = b"") -> Iterator[tuple[int, psutil.Process, float]]:
    """The port that a server announces, its process, and the seconds until then."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(given)
        process.stdin.close()
        try:
            for line in process.stderr:
                if found := re.search(LISTENING, line.decode()):
                    spent = time.perf_counter() - begun
                    yield int(found[1]), listening(process.pid, int(found[1])), spent
                    return
            raise AssertionError(f"{command[0]} ended with {process.wait()}")
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()


def listening(pid: int, port: int) -> psutil.Process:
    """The process that listens on the port, which may be a child of a launcher."""
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
        upstream, _, _ = stack.enter_context(started([sys.executable, LOAD, "upstream"]))
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
    command = [sys.executable, LOAD, what, str(contender.port), *map(str, arguments)]
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
        command = [sys.executable, LOAD, "streams", str(contender.port), str(STREAMS), "8", "0.5"]
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
