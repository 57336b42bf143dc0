"""Runs the programs in docs/mcp-client.md unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_client.http_server import http_server
from mcp_client.scripted import ENVIRONMENT, TESTS

DOCS = Path(TESTS).parent / "docs" / "mcp-client.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
SERVER = f"""#!/bin/sh
PYTHONPATH={TESTS} exec {sys.executable} -S -m mcp_client.servers.echo
"""


def run(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **ENVIRONMENT, **environment},
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


@pytest.mark.parametrize("program", [p for p in PROGRAMS if "docs-server" in p])
def test_a_program_with_a_stdio_server_runs(program: str, tmp_path: Path) -> None:
    server = tmp_path / "docs-server"
    server.write_text(SERVER)
    server.chmod(0o755)
    printed = run(program, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert ("print(" in program) == ("hello" in printed)


def test_the_program_with_an_http_server_runs() -> None:
    [program] = [p for p in PROGRAMS if "McpClient.http" in p]
    with http_server() as script:
        assert run(program, {"DOCS_URL": script.url, "DOCS_TOKEN": "secret"}) == "[]\n"
        assert script.seen[0][1]["authorization"] == "Bearer secret"


def test_every_error_in_the_docs_exists() -> None:
    import code_mcp_client

    named = set(
        re.findall(
            r"`([A-Z][A-Za-z]+(?:Error|Exited|Found|TimedOut|TooLarge|Message|Setting))`", DOCS.read_text()
        )
    )
    assert len(named) >= 7
    assert named <= set(code_mcp_client.__all__)
