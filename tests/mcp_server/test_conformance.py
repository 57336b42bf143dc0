"""The server scenarios of the official conformance suite against our HTTP entry, in both eras.

The suite asks for tools of its own, so a server with those is tried behind our entry. Scenarios about prompts,
resources, completion, sampling, SSE resumption and tasks over HTTP are left out: this server has none of those.
Of `caching` the checks of `tools/list` pass, the others need lists of prompts and resources.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.npm import npm_programs

TESTS = str(Path(__file__).parents[1])
PACKAGES = ("node@22.23.3", "@modelcontextprotocol/conformance@0.2.0-alpha.12")
SCENARIOS = {
    "2025-11-25": [
        *("server-initialize", "server-session-lifecycle", "ping", "tools-list", "tools-call-simple-text"),
        *(
            "tools-call-error",
            "tools-call-with-progress",
            "tools-call-elicitation",
            "dns-rebinding-protection",
        ),
        *("elicitation-sep1034-defaults", "elicitation-sep1330-enums"),
    ],
    "2026-07-28": [
        *("server-stateless", "tools-list", "tools-call-simple-text", "tools-call-error"),
        *("tools-call-with-progress", "http-header-validation", "dns-rebinding-protection"),
        *(
            f"input-required-result-{one}"
            for one in (
                *("basic-elicitation", "request-state", "multiple-input-requests", "multi-round"),
                *("missing-input-response", "result-type", "unsupported-methods", "tampered-state"),
                *("capability-check", "ignore-extra-params", "validate-input"),
            )
        ),
    ],
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "mcp_server.conformance_server"]
    environment = {**os.environ, "PYTHONPATH": TESTS}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.mark.parametrize(
    ("revision", "scenario"), [(revision, one) for revision, names in SCENARIOS.items() for one in names]
)
def test_a_scenario_passes(url: str, revision: str, scenario: str) -> None:
    programs = npm_programs(*PACKAGES)
    options = ["--url", url, "--scenario", scenario, "--spec-version", revision]
    done = subprocess.run(
        [programs / "node", programs / "conformance", "server", *options],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILURE" not in done.stdout
