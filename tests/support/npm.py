"""Programs from npm, installed once per machine into a cache."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(tempfile.gettempdir()) / "code-tests-npm"


def npm_programs(*packages: str) -> Path:
    """The folder with the programs of `packages` (`name@version`); skips the test if npm cannot provide them."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip(f"npm is missing: {', '.join(packages)} not tried")
    folder = CACHE / "+".join(packages).replace("/", "_").replace("@", "_")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            command = [
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(folder),
                *packages,
            ]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=110)
            except (subprocess.SubprocessError, OSError) as error:
                pytest.skip(f"npm cannot install {', '.join(packages)}: {error}")
            done.touch()
    return folder / "node_modules" / ".bin"
