"""Measures whole runs of `code exec`, and alternately of the Rust `codex exec` if it is installed (see `rust.py`).

The upstream is scripted, and runs in this process. Each run is measured from its start to its end, with its children.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rust import codex_program

from support.responses_events import Event, completed, created, function_call, message, text_delta
from support.upstream import Reply, ScriptedUpstream, stream

ROUNDS = int(os.environ.get("ROUNDS", "15"))
OURS = (str(Path(sys.executable).with_name("code")), "exec")
OPTIONS = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "go")
CONFIG = """
model = "gpt-5-codex"
model_provider = "bench"
[model_providers.bench]
name = "bench"
base_url = "{url}"
env_key = "BENCH_KEY"
wire_api = "responses"
"""
BYE = [created(), message("bye"), completed()]


@dataclass
class Figures:
    """For each run: seconds, CPU seconds, and MiB of the largest process."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def run(self, command: Sequence[str], environment: dict[str, str], cwd: Path) -> None:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        self.wall.append(time.perf_counter() - begun)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.memory.append(usage.ru_maxrss / 1024)


def ours_true(number: int) -> Event:
    return function_call("shell", {"command": ["true", str(number)]}, f"c{number}")


def codex_true(number: int) -> Event:
    return function_call("exec_command", {"cmd": f"true {number}", "login": False}, f"c{number}")


def one_message(_: Callable[[int], Event]) -> list[Reply]:
    return [stream(*BYE)]


def twenty_commands(call: Callable[[int], Event]) -> list[Reply]:
    return [*(stream(created(), call(number), completed()) for number in range(20)), stream(*BYE)]


def deltas(_: Callable[[int], Event]) -> list[Reply]:
    return [stream(created(), *(text_delta(f"word {n} ") for n in range(2_000)), *BYE[1:])]


WORK = {"one message": one_message, "20 commands": twenty_commands, "2,000 deltas": deltas}


@contextmanager
def upstream(home: Path) -> Iterator[ScriptedUpstream]:
    """An upstream, with settings in `home` that name it."""
    with ScriptedUpstream(strict=False) as running:
        home.mkdir()
        (home / "config.toml").write_text(CONFIG.format(url=running.base_url))
        yield running


@pytest.mark.parametrize("work", WORK)
def test_exec(work: str, tmp_path: Path, figures: dict[str, float]) -> None:
    commands = {"ours": (OURS, ours_true)}
    if (rust := codex_program()) is not None:
        commands["codex"] = ((rust, "exec"), codex_true)
    else:
        print("\ncodex is not installed: no comparison with it")
    results = {name: Figures() for name in commands}
    home = tmp_path / "home"
    environment = {**os.environ, "CODE_HOME": str(home), "CODEX_HOME": str(home), "BENCH_KEY": "k"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile everything at each start
    with upstream(home) as running:
        for number in range(ROUNDS + 1):
            for name, (command, call) in commands.items():
                running.add(*WORK[work](call))
                counted = results[name] if number else Figures()  # the first run fills caches
                counted.run([*command, *OPTIONS], environment, tmp_path)
    print(f"\n{work}, with Python {sys.version}")
    for name, of_one in results.items():
        wall, cpu = statistics.median(of_one.wall) * 1e3, statistics.median(of_one.cpu) * 1e3
        memory = statistics.median(of_one.memory)
        print(
            f"  {name:6} wall {wall:6.0f} ms (at least {min(of_one.wall) * 1e3:.0f}), CPU {cpu:6.0f} ms"
            f" (at least {min(of_one.cpu) * 1e3:.0f}), {memory:.0f} MiB"
        )
        figures[f"exec, {work}, {name}, CPU ms"] = cpu
    if "codex" in results:
        ours, theirs = results["ours"], results["codex"]
        print(
            "  ours / codex:",
            ", ".join(
                f"{what} {statistics.median(a / b for a, b in zip(*pair, strict=True)):.2f}"
                for what, pair in (
                    ("wall", (ours.wall, theirs.wall)),
                    ("CPU", (ours.cpu, theirs.cpu)),
                    ("memory", (ours.memory, theirs.memory)),
                )
            ),
        )
