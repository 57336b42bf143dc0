"""The entry for the registry of agents, and the check that the registry makes of the command.

Source: the registry's rules for `agent.json` and its script for `authMethods`, imitated; nothing is asked of a network.
"""

import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from support.command import CODE

ROOT = Path(__file__).parents[3]
ENTRY = ROOT / "docs" / "acp-registry" / "code-for-python"
FIELDS = {
    "id",
    "name",
    "version",
    "description",
    "repository",
    "website",
    "authors",
    "license",
    "distribution",
}
REQUIRED = {"id", "name", "version", "description", "distribution"}
CHECK: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": 1,
        "clientInfo": {"name": "registry-check", "version": "1.0.0"},
        "clientCapabilities": {
            "terminal": True,
            "fs": {"readTextFile": True, "writeTextFile": True},
            "_meta": {"terminal_output": True, "terminal-auth": True},
        },
    },
}


def entry() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ENTRY / "agent.json").read_text())
    return loaded


def test_the_entry_follows_the_rules_of_the_registry() -> None:
    agent = entry()
    assert set(agent) <= FIELDS
    assert set(agent) >= REQUIRED
    assert agent["id"] == ENTRY.name
    assert re.fullmatch(r"[a-z][a-z0-9-]*", agent["id"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", agent["version"])
    assert list(agent["distribution"]) == ["uvx"]
    assert set(agent["distribution"]["uvx"]) <= {"package", "cmd", "args", "env"}


def test_the_entry_names_our_package_version_and_command() -> None:
    project = tomllib.loads((ROOT / "packages" / "cli" / "pyproject.toml").read_text())["project"]
    agent, uvx = entry(), entry()["distribution"]["uvx"]
    assert agent["version"] == project["version"]
    assert agent["license"] == project["license"]
    assert uvx["package"] == f"{project['name']}=={project['version']}"
    assert uvx["cmd"] in project["scripts"]
    assert uvx["args"] == ["acp"]


def test_the_icon_is_small_and_of_one_colour() -> None:
    text = (ENTRY / "icon.svg").read_text()
    icon = ET.fromstring(text)  # noqa: S314 - our own file
    assert (icon.get("width"), icon.get("height"), icon.get("viewBox")) == ("16", "16", "0 0 16 16")
    colours = {value for one in icon.iter() for name in ("fill", "stroke") if (value := one.get(name))}
    assert colours <= {"currentColor", "none"}
    assert "#" not in text


@pytest.mark.slow
def test_the_first_line_offers_a_way_to_authenticate(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folders = {
        name: str(home / name)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    }
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "TERM": "dumb",
        "CI": "1",
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [CODE, *entry()["distribution"]["uvx"]["args"]],
        input=json.dumps(CHECK) + "\n",
        env=environment | folders,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answer = json.loads(done.stdout.split("\n", 1)[0])
    assert answer["id"] == 1
    methods = answer["result"]["authMethods"]
    assert any(method.get("type") in {None, "agent", "terminal"} for method in methods), methods
    assert done.returncode == 0, done.stderr
