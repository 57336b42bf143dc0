import errno
import gc
import os
import stat
import tracemalloc
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_mcp_client import McpClient, ServerNotFound, ServerStartError
from code_mcp_client.launch import ServerCommand, launch
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_the_error_for_a_missing_program_has_the_searched_path(tmp_path: Path) -> None:
    with pytest.raises(ServerNotFound, match=rf"no program 'no-such-server' on its PATH \({tmp_path}\)"):
        await McpClient.new_stdio_client("no-such-server", [], {"PATH": str(tmp_path)})


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerNotFound, match=r"bin/server does not exist"):
        async with McpClient.stdio("bin/server", cwd=tmp_path):
            pass


async def test_a_program_is_found_on_the_path_that_the_server_gets(tmp_path: Path) -> None:
    program = tmp_path / "my-server"
    program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    async with McpClient.stdio("my-server", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}):
        pass


async def test_a_program_relative_to_the_directory_is_found(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    async with McpClient.stdio("./server", cwd=tmp_path):
        pass


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [("text", 0o755, "Exec format error"), ("#!/bin/sh", 0o644, "Permission denied")],
)
async def test_the_error_for_an_unexecutable_file_says_why(
    tmp_path: Path, content: str, mode: int, problem: str
) -> None:
    program = tmp_path / "server"
    program.write_text(content)
    program.chmod(mode)
    with pytest.raises(ServerStartError, match=problem):
        async with McpClient.stdio(program):
            pass


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerStartError, match=r"no directory .*missing"):
        async with McpClient.stdio("true", cwd=tmp_path / "missing"):
            pass


async def test_an_argument_with_a_nul_is_rejected() -> None:
    with pytest.raises(ServerStartError, match="null byte"):
        async with McpClient.stdio("true", ["a\0b"]):
            pass


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
async def test_a_temporary_shortage_is_waited_out(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    original, failures = anyio.open_process, 3

    async def scarce(*args: Any, **options: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(number, os.strerror(number))
        return await original(*args, **options)

    monkeypatch.setattr(anyio, "open_process", scarce)
    async with scripted("echo") as client:
        await client.initialize()
    assert failures == 0


async def test_a_lasting_shortage_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scarce(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(anyio, "open_process", scarce)
    with pytest.raises(ServerStartError, match="temporarily unavailable"):
        await launch(ServerCommand("true", (), {"PATH": os.defpath}))


async def test_a_pipe_that_cannot_be_widened_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    original = fcntl.fcntl

    def poor(fd: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETPIPE_SZ:
            raise PermissionError(errno.EPERM, "too many pages in pipes")
        return original(fd, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", poor)
    async with scripted("echo") as client:
        result = await client.call_tool("big", {"size": 1_000_000})
        assert len(result.model_dump_json()) > 1_000_000


@pytest.mark.slow
async def test_memory_does_not_grow_over_two_hundred_starts_and_stops() -> None:
    async def cycles(count: int) -> int:
        """The bytes that Python holds after this many clients have been opened and closed."""
        for _ in range(count):
            async with scripted("echo") as client:
                await client.initialize()
                await call(client, "echo", x=1)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await cycles(20)
        after = await cycles(200)
    finally:
        tracemalloc.stop()
    assert after - before < 200 * 1024  # a kilobyte for each; a client that stays takes ten and more
