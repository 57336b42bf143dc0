"""The client scenarios of the official conformance suite, over HTTP, of both eras.

Left out are extensions that this client does not have: client credentials, DPoP, workload identity, managed
authorization, skills.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.npm import npm_programs

TESTS = str(Path(__file__).parents[1])
PACKAGES = ("node@22.23.3", "@modelcontextprotocol/conformance@0.2.0-alpha.12")
AUTH = [
    *(
        "metadata-default",
        "metadata-var1",
        "metadata-var2",
        "metadata-var3",
        "basic-cimd",
        "pre-registration",
    ),
    *("scope-from-www-authenticate", "scope-from-scopes-supported", "scope-omitted-when-undefined"),
    *("scope-step-up", "scope-retry-limit", "token-endpoint-auth-basic", "token-endpoint-auth-post"),
    "token-endpoint-auth-none",
]
MODERN_AUTH = [
    *("resource-mismatch", "offline-access-scope", "offline-access-not-supported"),
    *("authorization-server-migration", "iss-supported", "iss-not-advertised", "iss-supported-missing"),
    *("iss-wrong-issuer", "iss-unexpected", "iss-normalized", "metadata-issuer-mismatch"),
]
OLD_AUTH = ["2025-03-26-oauth-metadata-backcompat", "2025-03-26-oauth-endpoint-fallback"]
SCENARIOS = {
    "2025-03-26": [f"auth/{one}" for one in OLD_AUTH],
    "2025-11-25": [
        *("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
        *("json-schema-2020-12-preservation", *(f"auth/{one}" for one in AUTH)),
    ],
    "2026-07-28": [
        *("tools_call", "request-metadata", "sep-2322-client-request-state", "http-standard-headers"),
        *("http-custom-headers", "http-invalid-tool-headers", "json-schema-ref-no-deref"),
        *("json-schema-2020-12-preservation", *(f"auth/{one}" for one in (*AUTH, *MODERN_AUTH))),
    ],
}


@pytest.mark.parametrize(
    ("revision", "scenario"), [(revision, one) for revision, names in SCENARIOS.items() for one in names]
)
def test_a_scenario_passes(revision: str, scenario: str) -> None:
    programs = npm_programs(*PACKAGES)
    client = f"{sys.executable} -m mcp_client.conformance_client ours"
    options = ["--scenario", scenario, "--spec-version", revision, "--command", client]
    done = subprocess.run(
        [programs / "node", programs / "conformance", "client", *options],
        env={**os.environ, "PYTHONPATH": TESTS},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OVERALL: PASSED" in done.stdout + done.stderr
