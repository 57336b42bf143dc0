"""Measures what confining costs per command: bare, bubblewrap, Landlock and `codex sandbox`, interleaved.

Once from a small process, and once from one that uses 500 MB, which must make no difference.
"""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rust import codex_program

from code_core.process.spawn import start_command
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find
from code_core.sandbox.sandbox import Sandbox

ROUNDS = 60
COMMAND = ["bash", "-c", "true"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(params=["small parent", "500 MB parent"])
def parent(request: pytest.FixtureRequest) -> Iterator[str]:
    ballast = bytearray(500 * 2**20 if request.param.startswith("500") else 0)
    ballast[::4096] = b"x" * len(range(0, len(ballast), 4096))
    yield request.param
    del ballast


def runner(
    start: Callable[[list[str], Path], subprocess.Popen[bytes]], folder: Path, command: list[str] = COMMAND
) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        with start(command, folder) as process:
            code = process.wait()
        seconds = time.perf_counter() - started
        assert code == 0
        return seconds * 1000

    return run


def bare(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    return start_command(command, folder, ENVIRONMENT)


def confined(sandbox: Sandbox) -> Callable[[list[str], Path], subprocess.Popen[bytes]]:
    return lambda command, folder: sandbox.start(command, Confinement((folder,)), folder, ENVIRONMENT)


def test_what_confining_costs(parent: str, tmp_path: Path) -> None:
    ways = {"bare": runner(bare, tmp_path)}
    for mechanism in ("bwrap", "landlock"):
        finding = find("bwrap" if mechanism == "bwrap" else "landlock")
        if finding.sandbox is not None:
            ways[mechanism] = runner(confined(finding.sandbox), tmp_path)
        else:
            print(f"{mechanism}: {finding.detail}")
    rust = codex_program()
    if rust is not None:
        ways["codex sandbox"] = runner(bare, tmp_path, [rust, "sandbox", "--", *COMMAND])
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            samples[name].append(run())
    medians = {name: statistics.median(values[5:]) for name, values in samples.items()}
    for name, median in medians.items():
        print(f"{parent}: {name}: {median:.1f} ms, {median - medians['bare']:+.1f} ms over bare")
    if "codex sandbox" in medians:
        added = {name: median - medians["bare"] for name, median in medians.items()}
        for name in added.keys() - {"bare", "codex sandbox"}:
            ratio = added[name] / added["codex sandbox"]
            print(f"{parent}: {name} adds {ratio:.2f} of what codex sandbox adds")
            assert ratio <= 0.3
