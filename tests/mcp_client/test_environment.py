import json
import os
import sys
from pathlib import Path

import pytest

from code_mcp_client import McpClient
from code_mcp_client.environment import server_environment
from mcp_client.scripted import ENVIRONMENT, argv, text_of

OURS = {
    "HOME": "/home/me",
    "PATH": "/bin",
    "LANG": "C",
    "SSL_CERT_FILE": "/ca.pem",
    "OPENAI_API_KEY": "sk-secret",
    "LD_PRELOAD": "/evil.so",
    "PROXY": "http://localhost",
}


def test_only_the_allowlist_is_inherited() -> None:
    assert server_environment(environ=OURS) == {
        "HOME": "/home/me",
        "PATH": "/bin",
        "LANG": "C",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_named_variables_are_passed_on_and_given_ones_take_precedence() -> None:
    environment = server_environment({"PATH": "/mine", "X": "1"}, ["OPENAI_API_KEY", "NOT_SET", "PATH"], OURS)
    assert environment["OPENAI_API_KEY"] == "sk-secret"
    assert environment["PATH"] == "/mine"
    assert environment["X"] == "1"
    assert "NOT_SET" not in environment
    assert "PROXY" not in environment


@pytest.mark.anyio
async def test_a_server_gets_that_environment_and_its_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing_left: None
) -> None:
    for name, value in OURS.items():
        if name not in {"PATH", "LD_PRELOAD"}:
            monkeypatch.setenv(name, value)
    client = McpClient.stdio(
        sys.executable,
        argv("echo"),
        ENVIRONMENT | {"X": "1"},
        env_vars=["PROXY"],
        cwd=tmp_path,
    )
    async with client:
        seen = json.loads(text_of(await client.call_tool("environment")))
        folder = text_of(await client.call_tool("folder"))
    assert "OPENAI_API_KEY" not in seen
    assert (seen["X"], seen["PROXY"], seen["HOME"]) == ("1", "http://localhost", "/home/me")
    assert os.path.realpath(folder) == os.path.realpath(tmp_path)
