"""The memory of `code exec` while a command floods its output, under each sandbox and without one.

CODE_FULL_FLOOD=1 floods with 1 GiB instead of 64 MiB.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from code_core.sandbox.detection import find
from code_core.sandbox.sandbox import Mechanism
from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

SIZE = "1G" if os.environ.get("CODE_FULL_FLOOD") else "64M"
MOST_MIB = 96
FLOOD = f"head -c {SIZE} /dev/zero | tr '\\0' x; echo; echo the end of ${{CODEX_SANDBOX:-None}}"
# The command line with only the named sandbox, if any. Records the peak memory of the process; `wait4` would
# include that of the test, which started it.
AGENT = """
import sys
from pathlib import Path
from code_core.sandbox import detection
mechanism, peak = sys.argv.pop(1), Path(sys.argv.pop(1))
if mechanism != "None":
    found = detection.find(mechanism)
    detection.detect = lambda: detection.Detection((found,))
from code_cli.main import main
try:
    main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    peak.write_text(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
"""
LOOKS = 4


def calls(tool: str) -> list[tuple[str, dict[str, Any], str]]:
    """The model's actions: start the flood, and wait for its end."""
    if tool == "shell":
        return [("shell", {"command": ["sh", "-c", FLOOD], "timeout_ms": 600_000}, "c0")]
    start = {"cmd": FLOOD, "tty": tool == "terminal", "yield_time_ms": 30_000}
    look = {"session_id": 1, "yield_time_ms": 300_000}
    return [
        ("exec_command", start, "c0"),
        *(("write_stdin", look, f"c{number}") for number in range(1, LOOKS)),
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("tool", ["shell", "pipe", "terminal"])
@pytest.mark.parametrize("mechanism", [None, "bwrap", "landlock"], ids=str)
def test_a_flood_of_output_takes_little_memory(
    workspace: Workspace, mechanism: Mechanism | None, tool: str
) -> None:
    if mechanism is not None and find(mechanism).sandbox is None:
        pytest.skip(f"{mechanism}: {find(mechanism).detail}")
    responses = [[sse.function_call(*call), sse.completed()] for call in calls(tool)]
    scenario = write_scenario(workspace.home, [*responses, [sse.message("bye"), sse.completed()]])
    peak, output = workspace.home / "peak", workspace.home / "events"
    mode = "danger-full-access" if mechanism is None else "workspace-write"
    with output.open("wb") as events:
        done = subprocess.run(
            [sys.executable, "-c", AGENT, str(mechanism), peak, "exec", "--json", "--sandbox", mode, "go"],
            cwd=workspace.directory,
            env={**workspace.environment, "CODE_REPLAY": str(scenario)},
            stdin=subprocess.DEVNULL,
            stdout=events,
            check=False,
        )
    assert done.returncode == 0
    with output.open() as lines:
        shown = [json.loads(line)["msg"] for line in lines if "exec_command_output_delta" not in line]
    ends = [event for event in shown if event["type"] == "exec_command_end"]
    assert len(ends) == len([event for event in shown if event["type"] == "exec_command_begin"])
    assert any(f"the end of {mechanism}" in end["stdout"] for end in ends)
    assert int(peak.read_text()) / 1024 < MOST_MIB
