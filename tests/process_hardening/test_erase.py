import os
import subprocess
import sys
from pathlib import Path

import pytest

from code_process_hardening import take_variable

KEY = "sk-erased-0123456789abcdef"

# Waits so that its memory can be read, before and after the key is taken.
TAKER = """
import sys
from code_process_hardening import take_variable
print("ready", flush=True)
sys.stdin.readline()
taken = take_variable("THE_KEY")
print(taken[::-1].decode(), flush=True)
for index in range(len(taken)):
    taken[index] = 0
print("gone", flush=True)
sys.stdin.readline()
"""


def copies(pid: int) -> int:
    """How often the key occurs in the memory that a privileged reader sees."""
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - not a plain file
        for line in maps:
            extent, permissions = line.split()[:2]
            if not permissions.startswith("r") or "[v" in line:
                continue
            start, end = (int(part, 16) for part in extent.split("-"))
            memory.seek(start)
            found += memory.read(end - start).count(KEY.encode())
    return found


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root on Linux reads the memory")
@pytest.mark.parametrize("others", [{}, {"A": "1", "THE_KEYS": "not it", "Z": "\udcff"}])
def test_a_taken_variable_is_erased_from_memory(others: dict[str, str]) -> None:
    environment = {**others, "THE_KEY": KEY}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", TAKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert copies(process.pid) >= 2
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline().decode() == KEY[::-1] + "\n"
        assert process.stdout.readline() == b"gone\n"
        assert copies(process.pid) == 0
        environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"THE_KEY=\0" in environ
        assert all(os.fsencode(f"{name}={value}\0") in environ for name, value in others.items())
        process.stdin.close()


def test_a_variable_can_be_taken_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "value")
    taken = take_variable("THE_KEY")
    assert taken is not None
    assert bytes(taken) == b"value"
    assert take_variable("THE_KEY") is None
    assert "THE_KEY" not in os.environ


@pytest.mark.parametrize("value", ["", "v"])
def test_values_shared_by_the_interpreter_are_not_erased(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THE_KEY", value)
    taken = take_variable("THE_KEY")
    assert taken is not None
    assert bytes(taken) == value.encode()
    assert bytes([118]) == b"v"


def test_constants_of_the_program_are_not_erased() -> None:
    os.environb[b"THE_KEY"] = constant = b"a constant"
    assert take_variable("THE_KEY")
    assert constant == b"a " + b"constant"
