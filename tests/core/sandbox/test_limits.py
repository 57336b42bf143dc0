"""The limits of commands: each one alone, with a control without the limit."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.limits import DEFAULT_LIMITS, Limits
from core.sandbox.field import acting_for, as_user
from core.sandbox.test_escapes import MECHANISMS, PYTHON, USERS, python_for_all, require_user, sandbox_for
from process_hardening.accounts import UNPRIVILEGED_ID

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def run(mechanism: str, limits: Limits, folder: Path, program: str) -> str:
    """Run the program confined, and return its output."""
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
def test_the_size_of_a_file_is_limited(mechanism: str, tmp_path: Path) -> None:
    assert run(mechanism, replace(DEFAULT_LIMITS, file_bytes=100_000), tmp_path, FILE) == "File too large\n"
    assert run(mechanism, DEFAULT_LIMITS, tmp_path, FILE) == "WRITTEN\n"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_memory_of_a_process_is_limited(mechanism: str, tmp_path: Path) -> None:
    assert run(mechanism, replace(DEFAULT_LIMITS, memory_bytes=200 * 2**20), tmp_path, MEMORY) == "refused\n"
    assert run(mechanism, DEFAULT_LIMITS, tmp_path, MEMORY) == "TAKEN\n"


def test_shared_memory_is_limited(tmp_path: Path) -> None:
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
        with (
            acting_for(UNPRIVILEGED_ID),
            sandbox.confined(argv, Confinement(limits=limits), Path("/"), {"PATH": os.defpath}) as launch,
        ):
            process = subprocess.Popen(
                launch.argv, env=launch.environment, pass_fds=launch.fds, cwd="/", stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, user=UNPRIVILEGED_ID, group=UNPRIVILEGED_ID, extra_groups=[],
            )  # fmt: skip
        output, problem = process.communicate(timeout=60)
        assert output == printed, problem
        assert time.monotonic() - started < 30


@pytest.mark.parametrize("user", USERS)
def test_a_fork_bomb_under_landlock_is_ended_for_root_too(user: int | None) -> None:
    require_user(user)
    program = (
        f"mark = {time.time_ns()}  # the same test may run for another user at the same time"
        """
import os, threading, time
for number in range(300):
    if os.fork() == 0:
        time.sleep(60); os._exit(0)
print("FORKED", flush=True)
time.sleep(3)
print("WENT ON", flush=True)
"""
    )
    argv = [python_for_all(), "-c", program]
    sandbox = sandbox_for("landlock", user)
    for processes, code in ((100, 137), (None, 0)):
        confinement = Confinement(limits=Limits(processes=processes))
        with sandbox.confined(argv, confinement, Path("/"), {"PATH": os.defpath}) as launch:
            process = subprocess.Popen(
                launch.argv, env=launch.environment, pass_fds=launch.fds, cwd="/", stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **as_user(user),
            )  # fmt: skip
        output, problem = process.communicate(timeout=60)
        assert (b"WENT ON" in output, process.returncode) == (code == 0, code), problem
        assert ("more than 100 processes" in problem.decode()) == (code == 137)
        assert not [one for one in psutil.process_iter(["cmdline"]) if program in (one.info["cmdline"] or ())]


def test_threads_count_as_processes_under_landlock(tmp_path: Path) -> None:
    program = """
import threading, time
for number in range(150):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
time.sleep(20)
"""
    argv = [python_for_all(), "-c", program]
    confinement = Confinement(limits=Limits(processes=100))
    with sandbox_for("landlock", None).start(argv, confinement, tmp_path, {"PATH": os.defpath}) as process:
        _, problem = process.communicate(timeout=60)
    assert process.returncode == 137
    assert "more than 100 processes and threads" in problem.decode()


def test_a_lower_limit_of_the_user_is_kept(tmp_path: Path) -> None:
    """The control: the default is more than this one."""
    script = "ulimit -Hf"
    start = (
        "import os, resource, sys; from pathlib import Path\n"
        "from code_core.sandbox.confinement import Confinement; from code_core.sandbox.detection import find\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        f"process = find('bwrap').sandbox.start(['bash', '-c', {script!r}], Confinement(), Path('/'), {{'PATH': os.defpath}})\n"
        "sys.stdout.write(process.communicate()[0].decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == f"{2**20 // 1024}\n"
    with sandbox_for("bwrap", None).start(
        ["bash", "-c", script], Confinement(), tmp_path, {"PATH": os.defpath}
    ) as process:
        assert process.communicate()[0].decode() == f"{(DEFAULT_LIMITS.file_bytes or 0) // 1024}\n"
