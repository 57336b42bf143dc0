"""The client scenarios of the official conformance suite, over HTTP, of the revisions before 2026-07-28.

The SDK's own client passes the same ones; `conformance_client sdk` runs it. Scenarios of 2026-07-28
and of extensions are left out: the client speaks the handshake of 2025, in which servers can ask back.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.npm import npm_programs

TESTS = str(Path(__file__).parents[1])
PACKAGES = ("node@22.23.3", "@modelcontextprotocol/conformance@0.2.0-alpha.12")
SCENARIOS = [
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "json-schema-2020-12-preservation",
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/basic-cimd",
    "auth/scope-from-www-authenticate",
    "auth/scope-from-scopes-supported",
    "auth/scope-omitted-when-undefined",
    "auth/scope-step-up",
    "auth/scope-retry-limit",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-post",
    "auth/token-endpoint-auth-none",
    "auth/pre-registration",
    "auth/2025-03-26-oauth-metadata-backcompat",
    "auth/2025-03-26-oauth-endpoint-fallback",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_passes(scenario: str) -> None:
    programs = npm_programs(*PACKAGES)
    client = f"{sys.executable} -m mcp_client.conformance_client ours"
    done = subprocess.run(
        [programs / "node", programs / "conformance", "client", "--scenario", scenario, "--command", client],
        env={**os.environ, "PYTHONPATH": TESTS},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OVERALL: PASSED" in done.stdout + done.stderr
