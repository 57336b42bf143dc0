"""Finds the Rust `codex` to compare with: on PATH, in `$CODEX`, or installed by npm below /tmp/codex.

npm install --prefix /tmp/codex @openai/codex@0.169.0
"""

import os
import shutil
from pathlib import Path

_INSTALLED = Path("/tmp/codex/node_modules/.bin/codex")  # noqa: S108 - the directory in the command above


def codex() -> str | None:
    """The command, which may be npm's launcher, or None if it is not installed."""
    given = os.environ.get("CODEX") or shutil.which("codex")
    return given or (str(_INSTALLED) if _INSTALLED.exists() else None)


def codex_program() -> str | None:
    """The program itself, without npm's launcher, which takes 40 ms to start it."""
    command = codex()
    if command is None:
        return None
    beside_launcher = Path(command).resolve().parents[2]  # node_modules/@openai, of codex/bin/codex.js
    programs = [*beside_launcher.glob("codex-*/vendor/*/bin/codex")]
    return str(programs[0]) if programs else command
