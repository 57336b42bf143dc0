"""What a command may use up: each limit by itself, with the control that it is not reached without."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.limits import DEFAULT_LIMITS, Limits
from core.sandbox.test_escapes import MECHANISMS, PYTHON, python_for_all, sandbox_for
from process_hardening.accounts import UNPRIVILEGED_ID

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def run(mechanism: str, limits: Limits, folder: Path, program: str) -> str:
    """What the program prints before it ends."""
    confinement = Confinement((folder,), limits=limits)
    argv = [python_for_all(), "-c", program]
    with sandbox_for(mechanism, None).start(argv, confinement, folder, {"PATH": os.defpath}) as process:
        assert process.stdout is not None
        return process.stdout.read().decode()


FILE = """
try:
    with open("file", "wb") as file:
        file.write(bytes(200_000)); file.flush()
    print("WRITTEN")
except OSError as error:
    print(error.strerror)
"""
MEMORY = """
try:
    bytearray(400 * 2**20); print("TAKEN")
except MemoryError:
    print("refused")
"""
SHARED = """
import os
try:
    with open("/dev/shm/file", "wb") as file:
        file.write(bytes(2**20)); file.flush()
    print("WRITTEN")
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_size_of_a_file(mechanism: str, tmp_path: Path) -> None:
    assert run(mechanism, replace(DEFAULT_LIMITS, file_bytes=100_000), tmp_path, FILE) == "File too large\n"
    assert run(mechanism, DEFAULT_LIMITS, tmp_path, FILE) == "WRITTEN\n"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_memory_of_a_process(mechanism: str, tmp_path: Path) -> None:
    assert run(mechanism, replace(DEFAULT_LIMITS, memory_bytes=200 * 2**20), tmp_path, MEMORY) == "refused\n"
    assert run(mechanism, DEFAULT_LIMITS, tmp_path, MEMORY) == "TAKEN\n"


def test_shared_memory(tmp_path: Path) -> None:
    limited = replace(DEFAULT_LIMITS, shared_memory_bytes=2**18)
    assert run("bwrap", limited, tmp_path, SHARED) == "No space left on device\n"
    assert run("bwrap", DEFAULT_LIMITS, tmp_path, SHARED) == "WRITTEN\n"


@pytest.mark.skipif(os.getuid() != 0, reason="starts it as a user whom the limit holds for")
def test_a_fork_bomb_of_a_user_reaches_the_limit_and_ends_with_the_call(tmp_path: Path) -> None:
    program = """
import os, time
number = 0
try:
    for number in range(200):
        if os.fork() == 0:
            time.sleep(60); os._exit(0)
    print("FORKED")
except BlockingIOError:
    print("refused", 20 < number <= 64)
"""
    sandbox = sandbox_for("bwrap", UNPRIVILEGED_ID)
    for limits, printed in ((Limits(processes=64), "refused True\n"), (Limits(), "FORKED\n")):
        argv = [PYTHON, "-c", program]
        started = time.monotonic()
        with sandbox.confined(argv, Confinement(limits=limits), Path("/"), {"PATH": os.defpath}) as launch:
            done = subprocess.run(
                launch.argv, env=launch.environment, pass_fds=launch.fds, cwd="/", capture_output=True, text=True,
                timeout=60, user=UNPRIVILEGED_ID, group=UNPRIVILEGED_ID, extra_groups=[], check=False,
            )  # fmt: skip
        assert done.stdout == printed, done.stderr
        assert time.monotonic() - started < 30
