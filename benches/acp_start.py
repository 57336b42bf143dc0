"""Measures how long agents take from their start to the answer to `initialize`, taking turns.

python benches/acp_start.py "code acp" "/tmp/codex-acp/node_modules/.bin/codex-acp" "/tmp/vibe/bin/vibe-acp"
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
WARM_UP = 2
INITIALIZE = {"protocolVersion": 1, "clientCapabilities": {}}


def milliseconds(command: str, home: str) -> float:
    """Return the time from the start of the process to its first line, in an empty home."""
    kept = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "x"}
    bytecode = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "code-bench-bytecode")}
    begun = time.perf_counter()
    with subprocess.Popen(
        shlex.split(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**kept, **bytecode, "HOME": home},
        cwd=home,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        taken = (time.perf_counter() - begun) * 1000
        process.kill()
    assert "result" in json.loads(answer), answer
    return taken


def main(commands: list[str]) -> None:
    """Print the median of each command."""
    taken: dict[str, list[float]] = {command: [] for command in commands}
    for number in range(WARM_UP + ROUNDS):
        for command, values in taken.items():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
                one = milliseconds(command, home)
            if number >= WARM_UP:
                values.append(one)
    for command, values in taken.items():
        sys.stdout.write(f"{statistics.median(values):6.0f} ms  (best {min(values):.0f})  {command}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
