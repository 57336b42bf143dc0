"""An engine whose memory is closed to others still confines commands: its own `/proc` files then belong to root."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from process_hardening.accounts import UNPRIVILEGED_ID, find_account, open_to_all

ROOT = Path(__file__).parents[3]
SOURCES = [ROOT / "packages" / name / "src" for name in ("core", "process-hardening", "mcp-client")]

ENGINE = """
import os, sys
from pathlib import Path
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import find
if sys.argv[1] == "closed":
    from code_process_hardening import deny_memory_access
    deny_memory_access()
print(Path("/proc/self/environ").stat().st_uid == os.getuid())
found = find(sys.argv[2])
if found.sandbox is None:
    sys.exit(f"none: {found.detail}")
for _ in range(2):
    script = f"echo it runs; (: > {sys.argv[3]}) 2>/dev/null || echo refused"
    process = found.sandbox.start(["/bin/sh", "-c", script], Confinement(), Path("/"), {})
    print(process.communicate(timeout=20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
@pytest.mark.parametrize("mechanism", ["bwrap", "landlock"])
@pytest.mark.parametrize("memory", ["open", "closed"])
def test_commands_of_an_ordinary_user_are_confined(tmp_path: Path, memory: str, mechanism: str) -> None:
    account = find_account()
    packages = Path(pytest.__file__).parents[1]
    if account is None or not all(map(open_to_all, (*SOURCES, packages))):
        pytest.skip("no Python, or no sources, that an ordinary user can read")
    if account.uid is not None:
        version = "import sys; print(sys.version_info[:2])"
        result = subprocess.run([account.python, "-c", version], capture_output=True, text=True, check=True)
        if result.stdout.strip() != str(sys.version_info[:2]):
            pytest.skip(f"{account.python} has another version")
        os.chown(tmp_path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    done = account.run(
        [str(account.python), "-c", ENGINE, memory, mechanism, str(tmp_path / "written")],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(map(str, [*SOURCES, packages])),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
    )
    if done.stderr.startswith(b"none: "):
        pytest.skip(done.stderr.decode())
    assert done.returncode == 0, done.stderr.decode()
    owner, *outputs = done.stdout.decode().splitlines()
    assert (owner == "True") is (memory == "open")
    assert outputs == [str((b"it runs\nrefused\n", b""))] * 2
