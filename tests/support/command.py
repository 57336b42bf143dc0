"""Runs the `code` command like its user."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.repository import make_repository

CODE = str(Path(sys.executable).parent / "code")
KEY = "test-key-0123456789"


@dataclass(frozen=True)
class Workspace:
    """A home with settings for a scripted upstream, and a directory to work in."""

    home: Path
    directory: Path
    environment: dict[str, str]

    def configure(self, base_url: str, more: str = "") -> None:
        """Write the settings file; `more` goes in front of the tables."""
        (self.home / "config.toml").write_text(
            f'model_provider = "scripted"\nmodel = "gpt-5-codex"\n{more}\n'
            f'[model_providers.scripted]\nname = "Scripted"\nbase_url = "{base_url}"\n'
            'env_key = "SCRIPTED_API_KEY"\nquery_params = { version = "1" }\n'
            'http_headers = { X-Team = "blue" }\n'
        )

    def run(
        self, *arguments: str, stdin: str | None = None, prefix: Sequence[str] = (), timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run `code` to its end; `prefix` is a command that starts it, `timeout` is in seconds."""
        return subprocess.run(
            [*prefix, CODE, *arguments],
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start `code`; the caller ends it."""
        return subprocess.Popen(
            [CODE, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def make_workspace(folder: Path) -> Workspace:
    home, directory = folder / "home", folder / "work"
    home.mkdir()
    make_repository(directory)
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return Workspace(home, directory, {**keep, "CODE_HOME": str(home), "SCRIPTED_API_KEY": KEY})
