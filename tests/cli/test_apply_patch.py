import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("code"))
PATCH = "*** Begin Patch\n*** Update File: f\n-caf\u00e9\n+tea\n*** End Patch\n"


def run(directory: Path, *arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAM, "apply-patch", *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "CODE_HOME": str(directory / "home")},
    )


@pytest.mark.parametrize("by", ["argument", "stdin"])
def test_a_patch_is_applied_to_the_current_directory(tmp_path: Path, by: str) -> None:
    (tmp_path / "f").write_bytes("caf\u00e9\nrest".encode("latin-1"))
    done = run(tmp_path, PATCH) if by == "argument" else run(tmp_path, text=PATCH.encode())
    assert (done.returncode, done.stdout) == (0, b"Success. Updated the following files:\nM f\n")
    assert (tmp_path / "f").read_bytes() == b"tea\nrest"


def test_a_patch_that_does_not_fit_is_one_message_and_exit_code_1(tmp_path: Path) -> None:
    done = run(tmp_path, PATCH)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"Failed to read file to update {tmp_path.resolve()}/f: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [(b"", "the patch is empty"), (PATCH.encode("latin-1"), "the patch is not UTF-8 text: byte 40")],
)
def test_invalid_patch_input_is_exit_code_2(tmp_path: Path, text: bytes, problem: str) -> None:
    (tmp_path / "f").write_text("caf\u00e9\n")
    done = run(tmp_path, text=text)
    assert done.returncode == 2
    assert problem in done.stderr.decode()
    assert (tmp_path / "f").read_text() == "caf\u00e9\n"
