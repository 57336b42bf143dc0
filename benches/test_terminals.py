"""Measures `code exec` with an `exec_command` that prints 1 GiB."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support import responses_events as sse
from support.scenario import write_scenario

pytestmark = pytest.mark.timeout(900)

CODE = str(Path(sys.executable).parent / "code")
FLOOD = "head -c 1G /dev/zero | tr '\\0' x; echo; echo the end"
MOST_MIB = 200


@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
def test_a_flood(tmp_path: Path, tty: bool, figures: dict[str, float]) -> None:
    start: dict[str, Any] = {"cmd": FLOOD, "tty": tty, "yield_time_ms": 30_000}
    looks = [("write_stdin", {"session_id": 1, "yield_time_ms": 300_000}, f"c{number}") for number in (2, 3)]
    calls = [("exec_command", start, "c1"), *looks]
    responses = [[sse.function_call(*call), sse.completed()] for call in calls]
    scenario = write_scenario(tmp_path, [*responses, [sse.message("bye"), sse.completed()]])
    environment = {**os.environ, "CODE_HOME": str(tmp_path), "CODE_REPLAY": str(scenario)}
    options = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    output = tmp_path / "events"
    started = time.perf_counter()
    with output.open("wb") as events:
        process = subprocess.Popen(
            [CODE, "exec", *options, "go"], cwd=tmp_path, env=environment, stdout=events
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, mib = time.perf_counter() - started, usage.ru_maxrss / 1024
    name = "terminal" if tty else "pipe"
    figures[f"flood of 1 GiB, {name}, s"], figures[f"flood of 1 GiB, {name}, MiB"] = seconds, mib
    kinds = [json.loads(line)["msg"]["type"] for line in output.read_text().splitlines()]
    assert process.returncode == 0
    assert "the end" in output.read_text()
    assert kinds.count("exec_command_begin") == kinds.count("exec_command_end")
    assert mib < MOST_MIB
