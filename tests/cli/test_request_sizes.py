"""The size of the first request of a session, with a new user's settings."""

import json
import sys
from pathlib import Path

import pytest

from support import ScriptedUpstream, reply
from support.command import Workspace

MOST = 6 * 1024
MOST_MORE = 2 * 1024
SERVER = Path(__file__).parents[1] / "mcp_client/servers/many.py"
WIRES = pytest.mark.parametrize(
    ("api", "model"), [("responses", "gpt-5-codex"), ("responses", "m"), ("chat", "m")]
)
FRONTENDS = pytest.mark.parametrize("frontend", ["exec", "chat"])


def first_request(
    workspace: Workspace, upstream: ScriptedUpstream, frontend: str, api: str, model: str
) -> bytes:
    upstream.add(reply(400, body="enough"))
    options = ("-c", f"model_providers.scripted.wire_api={api}", "-m", model)
    workspace.run(frontend, *options, "hi", stdin="" if frontend == "chat" else None)
    body: bytes = upstream.requests[-1].body
    assert b'"apply_patch"' in body
    return body


@WIRES
@FRONTENDS
def test_the_first_request_is_small(
    workspace: Workspace, upstream: ScriptedUpstream, frontend: str, api: str, model: str
) -> None:
    workspace.configure(upstream.base_url)
    body = first_request(workspace, upstream, frontend, api, model)
    assert (b'"request_user_input"' in body) is (frontend == "chat")
    assert len(body) <= MOST
    assert len(upstream.requests) == 1


@WIRES
def test_many_server_tools_add_little_to_the_first_request(
    workspace: Workspace, upstream: ScriptedUpstream, api: str, model: str
) -> None:
    workspace.configure(upstream.base_url)
    before = first_request(workspace, upstream, "exec", api, model)
    server = {"command": sys.executable, "args": [str(SERVER)], "required": True, "startup_timeout_sec": 60}
    lines = (f"{key} = {json.dumps(value)}" for key, value in server.items())
    with (workspace.home / "config.toml").open("a") as file:
        file.write("\n[mcp_servers.many]\n" + "\n".join(lines) + "\n")
    after = first_request(workspace, upstream, "exec", api, model)
    assert b"many (200)" in after  # the tools can be found by searching
    assert b"change_kind_7" not in after
    assert 0 < len(after) - len(before) <= MOST_MORE
