"""How configured servers start: not in the workspace, and not from it."""

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers.connections import McpServers
from code_core.mcp_servers.launch import Workplace, prepare, roots_of
from code_core.protocol.policies import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.sandbox.detection import detect
from code_mcp_client import McpClientError
from mcp_client.http_server import http_server
from mcp_client.scripted import text_of
from support.npm import npm_programs
from support.repository import make_repository

TESTS = str(Path(__file__).parents[2])
SCRIPT = ["-S", "-m", "mcp_client.servers.tries"]

confinable = pytest.mark.skipif(detect().sandbox is None, reason="nothing can be confined here")


def table(**more: Any) -> McpServerTable:
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1", **more.pop("env", {})}
    return McpServerTable(**{"command": sys.executable, "args": SCRIPT, "env": environment, **more})


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    # Not below the temporary directory, which is writable in the sandbox.
    (tmp_path / "home").mkdir()
    work = make_repository(tmp_path / "work")
    return Workplace(work, tmp_path / "home", ReadOnly(), os.environ)


async def tried(workplace: Workplace, server: McpServerTable, **arguments: Any) -> str:
    prepared = prepare("s", server, workplace)
    async with prepared.client as client:
        await client.initialize()
        return text_of(await client.call_tool("try", arguments))


def started(workplace: Workplace, server: McpServerTable, **arguments: Any) -> str:
    async def main() -> str:
        with anyio.fail_after(30):
            return await tried(workplace, server, **arguments)

    return anyio.run(main)


def plant(work: Path) -> Path:
    """A module in the workspace with the same name as one of the server's."""
    package = work / "mcp_client" / "servers"
    package.mkdir(parents=True)
    marker = work / "shadowed"
    for file in (work / "mcp_client" / "__init__.py", package / "__init__.py", package / "tries.py"):
        file.write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(3)\n")
    return marker


def test_a_module_in_the_workspace_does_not_replace_one_of_the_servers(workplace: Workplace) -> None:
    marker = plant(workplace.cwd)
    facts = json.loads(started(workplace, table()))
    assert not marker.exists()
    assert Path(facts["cwd"]) == workplace.home / "mcp" / "s"
    assert (workplace.home / "mcp" / "s").stat().st_mode & 0o777 == 0o700
    assert facts["env"]["PYTHONSAFEPATH"] == "1"
    assert not any(entry in {"", str(workplace.cwd), facts["cwd"]} for entry in facts["path"])


def test_with_the_users_consent_a_module_in_the_workspace_is_loaded(workplace: Workplace) -> None:
    marker = plant(workplace.cwd)
    with pytest.raises(McpClientError):
        started(workplace, table(cwd=".", env={"PYTHONSAFEPATH": ""}))
    assert marker.exists()


def test_a_program_in_the_workspace_is_not_found_by_name(workplace: Workplace) -> None:
    program = workplace.cwd / ".bin" / "planted-server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), ".bin", "", os.environ["PATH"]])
    exposed = Workplace(workplace.cwd, workplace.home, ReadOnly(), {**os.environ, "PATH": path})
    with pytest.raises(McpClientError, match=r"it is only in the workspace, as .*planted-server"):
        prepare("s", table(command="planted-server", args=[]), exposed)
    for command in (str(program), "./.bin/planted-server"):
        [warning] = prepare("s", table(command=command, args=[]), exposed).warnings
        assert "which is in the working directory" in warning
    outside = workplace.home / "link-to-it"
    outside.symlink_to(program)
    assert prepare("s", table(command=str(outside), args=[]), exposed).warnings
    assert prepare("s", table(), exposed).warnings == ()
    facts = json.loads(started(exposed, table()))
    assert facts["env"]["PATH"] == os.environ["PATH"]


def test_programs_in_the_users_home_are_still_found(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = workplace.cwd / ".local" / "bin" / "uvx"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(workplace.cwd))
    at_home = Workplace(workplace.cwd, workplace.home, ReadOnly(), {"PATH": str(program.parent)})
    [warning] = prepare("s", table(command="uvx", args=[]), at_home).warnings
    assert "which is in the working directory" in warning


def test_an_argument_that_names_no_file_is_a_warning(workplace: Workplace) -> None:
    (workplace.cwd / "server.py").write_text("")
    [warning] = prepare("s", table(args=["server.py", "-x", "absent.py"]), workplace).warnings
    assert "its argument 'server.py' does not exist" in warning
    assert prepare("s", table(args=["server.py"], cwd="."), workplace).warnings == ()


def test_a_script_elsewhere_imports_from_its_own_directory(workplace: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "beside.py").write_text("")
    (folder / "main.py").write_text("import beside, runpy\nrunpy.run_module('mcp_client.servers.tries')\n")
    assert json.loads(started(workplace, table(args=["-S", str(folder / "main.py")])))


@confinable
@pytest.mark.parametrize("policy", [ReadOnly(), WorkspaceWrite(exclude_slash_tmp=True), DangerFullAccess()])
def test_a_confined_server_has_the_rights_of_commands(
    workplace: Workplace, tmp_path: Path, policy: SandboxPolicy
) -> None:
    confined = Workplace(workplace.cwd, workplace.home, policy, {"PATH": os.environ["PATH"]})
    outside, inside = tmp_path / "outside", workplace.cwd / "inside"
    assert started(confined, table(), write=str(outside)) == "written"  # without
    outside.unlink()
    assert started(confined, table(sandbox=True), write=str(outside)).startswith("refused: ")
    assert not outside.exists()
    writes = isinstance(policy, WorkspaceWrite)
    assert started(confined, table(sandbox=True), write=str(inside)).startswith(
        "written" if writes else "refused"
    )
    own = workplace.home / "mcp" / "s" / "notes"
    assert started(confined, table(sandbox=True), write=str(own)) == "written"


@confinable
def test_a_confined_server_has_no_network_unless_configured(workplace: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert started(workplace, table(), connect=port) == "connected"
        assert started(workplace, table(sandbox=True), connect=port).startswith("refused: ")
        assert started(workplace, table(sandbox=True, network_access=True), connect=port) == "connected"


def test_without_a_sandbox_a_server_that_requires_one_does_not_start(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from code_core.sandbox.detection import Detection, Finding

    nothing = Detection((Finding("bwrap", None, "not installed"),))
    monkeypatch.setattr("code_core.mcp_servers.launch.detect", lambda: nothing)
    with pytest.raises(McpClientError, match="sandbox = true, but this machine has no sandbox"):
        prepare("s", table(sandbox=True), workplace)
    prepare("s", table(), workplace)


@pytest.mark.parametrize(
    ("settings", "roots"),
    [
        ({}, ["work"]),
        ({"args": ["-y", "some-server", "--flag"]}, ["work"]),
        ({"args": ["TOP/docs", "TOP/absent"]}, ["docs"]),
        ({"args": ["TOP/docs", "."]}, ["docs", "work"]),
        ({"args": ["TOP/docs"], "roots": ["TOP"]}, [""]),
        ({"args": ["TOP/docs"], "roots": []}, []),
        ({"roots": ["sub"]}, ["work/sub"]),
    ],
)
def test_roots_are_the_directories_among_the_arguments(
    tmp_path: Path, settings: dict[str, list[str]], roots: list[str]
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "docs").mkdir()
    given = {
        key: [value.replace("TOP", str(tmp_path)) for value in values] for key, values in settings.items()
    }
    expected = [tmp_path / root for root in roots]
    assert roots_of(McpServerTable(**{"command": "x", **given}), tmp_path / "work") == expected


@pytest.mark.parametrize(
    ("arguments", "allowed"), [(lambda top: [f"{top}/docs"], "docs"), (lambda _: [], "work")]
)
def test_a_filesystem_server_keeps_the_directories_of_its_arguments(
    tmp_path: Path, workplace: Workplace, arguments: Callable[[Path], list[str]], allowed: str
) -> None:
    program = npm_programs("@modelcontextprotocol/server-filesystem") / "mcp-server-filesystem"
    (tmp_path / "docs").mkdir()
    server = McpServerTable(command=str(program), args=arguments(tmp_path), startup_timeout_sec=30)

    async def decline(name: str, params: Any) -> Any:
        raise AssertionError(name, params)

    async def main() -> str:
        servers = McpServers({"files": server}, workplace, decline)
        text = ""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(servers.run)
            await servers.settled()
            assert servers.failures == {}
            tool = servers.tools["files__list_allowed_directories"]
            with anyio.move_on_after(2):
                while True:  # nothing reports when the server has accepted the roots
                    text = text_of(await tool.host.call_tool("list_allowed_directories", {}))
                    await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()
        await servers.aclose()
        return text

    assert anyio.run(main).splitlines()[1:] == [str(tmp_path / allowed)]


def test_an_inline_token_is_sent_but_never_shown(workplace: Workplace) -> None:
    with http_server() as script:
        server = McpServerTable(url=script.url, bearer_token="hush-hush")
        assert "hush" not in repr(server) + server.model_dump_json()

        async def main() -> None:
            async with prepare("s", server, workplace).client as client:
                await client.initialize()

        anyio.run(main)
    assert {headers["authorization"] for _, headers in script.seen} == {"Bearer hush-hush"}


def test_a_tilde_with_an_unknown_user_is_an_ordinary_path(workplace: Workplace) -> None:
    server = table(args=["~no-such-user/x"], roots=["~no-such-user/y"])
    assert roots_of(server, workplace.cwd) == [workplace.cwd / "~no-such-user/y"]
    assert roots_of(table(args=["~no-such-user/x"]), workplace.cwd)
    prepare("s", server, workplace)
