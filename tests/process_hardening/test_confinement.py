import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, socket, subprocess, sys
from code_process_hardening import Confinement, confine, pre_main_hardening

def tries(action):
    try: action()
    except PermissionError: return "denied"
    except ConnectionRefusedError: return "refused"
    return "done"

def connect(port):
    with socket.socket() as client: client.connect(("127.0.0.1", port))

def listen():
    with socket.socket() as server: server.bind(("127.0.0.1", 0))

writable, other = sys.argv[1:]
with socket.socket() as server:
    server.bind(("127.0.0.1", 0)); server.listen()
    port = server.getsockname()[1]
    pre_main_hardening()
    confined = confine(writable=[writable], connect_ports=[port])
    print(confined.name)
    print(tries(lambda: open(writable + "/a", "w").write("a")), tries(lambda: os.replace(writable + "/a", writable + "/b")))
    print(tries(lambda: open(other + "/a", "w")), tries(lambda: os.mkdir(other + "/d")), tries(lambda: open(other + "/kept").read()))
    print(tries(lambda: subprocess.run([sys.executable, "-c", ""])))
    print(tries(lambda: connect(port)), tries(lambda: connect(1)))
    print(tries(listen))
"""


def test_a_confined_process_keeps_only_the_granted_permissions(tmp_path: Path) -> None:
    writable, other = tmp_path / "writable", tmp_path / "other"
    writable.mkdir()
    other.mkdir()
    (other / "kept").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, writable, other], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    confined, inside, outside, program, connecting, listening = done.stdout.splitlines()
    if confined == "NONE":
        pytest.skip("this kernel has no Landlock")
    assert inside == "done done"
    assert outside == "denied denied done"
    assert program == "denied"
    if confined == "FULL":
        assert connecting == "done denied"
        assert listening == "denied"
    assert (writable / "b").read_text() == "a"


@pytest.mark.parametrize(("missing_ok", "code"), [(False, 1), (True, 0)])
@pytest.mark.parametrize("kind", ["writable", "writable_files"])
def test_a_missing_path_is_an_error_unless_it_may_be_missing(
    tmp_path: Path, kind: str, missing_ok: bool, code: int
) -> None:
    script = f"""
import sys
from code_process_hardening import pre_main_hardening
from code_process_hardening.confinement import confine, landlock_abi
pre_main_hardening()
if not landlock_abi():
    sys.exit({code})
try:
    confine({kind}=[{str(tmp_path / "gone")!r}], missing_ok={missing_ok})
except FileNotFoundError:
    sys.exit(1)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code
