"""A tool's large answer: complete from the client; from the engine, cut for the model and complete in a file."""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import mcp_types
import pytest

from code_mcp_client import McpClient, McpClientConfig, MessageTooLarge
from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace

TESTS = str(Path(__file__).parents[1])
SERVER = ["-S", "-m", "mcp_client.servers.listed"]
MB = 1_000_000
SIZES = [2 * MB, 16 * MB, 64 * MB]


def split(text: str | bytes) -> tuple[str, str]:
    """The hash of all but the last line, and the last line, which is the hash that the server computed."""
    data = text.encode() if isinstance(text, str) else text
    body, _, checksum = data.rpartition(b"\n")
    return sha256(body).hexdigest(), checksum.decode()


@pytest.mark.parametrize("size", SIZES)
def test_a_large_result_through_the_client(size: int) -> None:
    async def main() -> str:
        async with McpClient.stdio(sys.executable, SERVER, {"PYTHONPATH": TESTS}) as client:
            await client.initialize()
            result = await client.call_tool("big", {"size": size})
            [content] = result.content
            assert isinstance(content, mcp_types.TextContent)
            return content.text

    text = anyio.run(main)
    assert len(text) == size + 65
    counted, checksum = split(text)
    assert counted == checksum


@pytest.mark.parametrize("size", SIZES)
def test_a_large_result_through_the_engine(
    workspace: Workspace, upstream: ScriptedUpstream, size: int
) -> None:
    command, path = json.dumps(sys.executable), json.dumps(TESTS)
    workspace.configure(upstream.base_url)
    with (workspace.home / "config.toml").open("a") as config:
        config.write(f"[mcp_servers.big]\ncommand = {command}\nargs = {json.dumps(SERVER)}\n")
        config.write(f"env = {{ PYTHONPATH = {path} }}\n")
    call = sse.function_call("big__big", {"size": size}, "c1")
    upstream.add(
        stream(sse.created(), call, sse.completed()),
        stream(sse.created(), sse.message("done"), sse.completed()),
    )
    done = workspace.run("exec", "--json", "go")
    assert done.returncode == 0, done.stderr
    output = upstream.requests[1].json["input"][-1]["output"]
    assert len(output) < 50_000
    [kept] = (workspace.home / "outputs").rglob("c1.txt")
    assert f"the full output is in {kept}" in output
    whole = kept.read_bytes()
    assert len(whole) == size + 65
    counted, checksum = split(whole)
    assert counted == checksum
    assert output.endswith(checksum)
    events: list[dict[str, Any]] = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    [end] = [event for event in events if event["type"] == "mcp_tool_call_end"]
    assert end["result"]["Ok"]["content"] == [{"type": "text", "text": output}]


def test_an_answer_over_the_limit_fails_only_its_request() -> None:
    async def main() -> None:
        config = McpClientConfig(max_message_bytes=MB)
        async with McpClient.stdio(sys.executable, SERVER, {"PYTHONPATH": TESTS}, config=config) as client:
            await client.initialize()
            with pytest.raises(MessageTooLarge):
                await client.call_tool("big", {"size": 2 * MB})
            assert not (await client.call_tool("big", {"size": MB // 2})).is_error

    anyio.run(main)
