"""Servers by others: from npm, if it is installed, and with the SDK."""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from code_mcp_client import McpClient
from mcp_client.scripted import ENVIRONMENT, argv, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

FOLDER = Path("/tmp/code-mcp-npm")
PACKAGES = ("everything", "filesystem", "memory")


@pytest.fixture(scope="session")
def npm() -> Path:
    """The directory with the programs of the installed servers."""
    programs = FOLDER / "node_modules" / ".bin"
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is missing: the servers from npm were not tried")
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((programs / f"mcp-server-{name}").exists() for name in PACKAGES):
            wanted = [f"@modelcontextprotocol/server-{name}" for name in PACKAGES]
            command = ["npm", "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund", *wanted]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=100)
            except (subprocess.SubprocessError, OSError) as error:
                pytest.skip(f"npm install failed, the servers from npm were not tried: {error}")
    return programs


async def test_the_everything_server(npm: Path) -> None:
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with McpClient.stdio(npm / "mcp-server-everything") as client:
        info = await client.initialize()
        assert info.server_info.name == "mcp-servers/everything"
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"echo", "get-structured-content", "trigger-long-running-operation"} <= tools
        assert text_of(await client.call_tool("echo", {"message": "größer"})) == "Echo: größer"
        result = await client.call_tool("get-structured-content", {"location": "New York"})
        assert result.structured_content["conditions"]
        steps = {"duration": 0.3, "steps": 3}
        await client.call_tool("trigger-long-running-operation", steps, progress=note)
        assert len((await client.session.list_resources()).resources) > 0
        assert len((await client.session.list_prompts()).prompts) > 0
    assert set(seen) <= {1, 2, 3}
    assert seen


async def test_the_filesystem_server_reads_a_file_of_eight_megabytes(npm: Path, tmp_path: Path) -> None:
    content = "0123456789abcde\n" * (8 * 2**16)
    (tmp_path / "big.txt").write_text(content)
    async with McpClient.stdio(npm / "mcp-server-filesystem", [str(tmp_path)]) as client:
        await client.initialize()
        result = await client.call_tool("read_text_file", {"path": str(tmp_path / "big.txt")})
        assert text_of(result) == content
        missing = await client.call_tool("read_text_file", {"path": str(tmp_path / "missing.txt")})
        assert missing.is_error


async def test_the_memory_server_stores_data(npm: Path, tmp_path: Path) -> None:
    environment = {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    entity = {"name": "Ada", "entityType": "person", "observations": ["wrote programs"]}
    async with McpClient.stdio(npm / "mcp-server-memory", env=environment) as client:
        await client.initialize()
        await client.call_tool("create_entities", {"entities": [entity]})
    async with McpClient.stdio(npm / "mcp-server-memory", env=environment) as client:
        await client.initialize()
        graph = await client.call_tool("read_graph", {})
    assert graph.structured_content["entities"] == [entity]


async def test_a_server_of_the_sdk_over_stdio() -> None:
    async with McpClient.stdio(sys.executable, argv("sdk")[1:], ENVIRONMENT) as client:
        await check_sdk_server(client)


@pytest.fixture
def sdk_url(nothing_left: None) -> Iterator[str]:
    """The URL of a server built with the SDK."""
    command = [sys.executable, *argv("sdk", "http")[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


async def test_a_server_of_the_sdk_over_http(sdk_url: str) -> None:
    async with McpClient.http(sdk_url) as client:
        await check_sdk_server(client)


async def check_sdk_server(client: McpClient) -> None:
    info = await client.initialize()
    assert info.server_info.name == "sums"
    [tool] = (await client.list_tools()).tools
    assert tool.output_schema is not None
    result = await client.call_tool("add", {"a": 2, "b": 3})
    assert json.loads(text_of(result)) == 5
    assert result.structured_content == {"result": 5}
    assert (await client.call_tool("add", {"a": "two"})).is_error
