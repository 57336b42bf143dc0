"""Measures the agent for editors: its start, its updates per second, and the cost of fifty sessions."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.peer import Peer
from code_mcp_server.acp.streams import LineWriter
from support import responses_events as sse
from support.acp_client import AcpClient, prompt_params
from support.command import CODE, Workspace, make_workspace
from support.scenario import write_scenario

UPDATES = 50_000
SESSIONS = 50
INITIALIZE = b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1}}\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = make_workspace(tmp_path)
    workspace.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    workspace.environment["PYTHONPYCACHEPREFIX"] = "/tmp/code-bench-bytecode"  # noqa: S108 - a cache
    replies = [[sse.message(f"Answer {number}."), sse.completed()] for number in range(4)]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, replies))
    return workspace


def test_initialize_is_answered(benchmark: Any, workspace: Workspace) -> None:
    def start() -> None:
        with subprocess.Popen(
            [CODE, "acp"],
            cwd=workspace.directory,
            env=workspace.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            begun = time.perf_counter()
            process.stdin.write(INITIALIZE)
            process.stdin.flush()
            assert process.stdout.readline()
            taken.append(time.perf_counter() - begun)
            process.kill()

    taken: list[float] = []
    benchmark.pedantic(start, rounds=15, warmup_rounds=3)
    benchmark.extra_info["answered_ms"] = round(sorted(taken)[len(taken) // 2] * 1000)


def test_updates_per_second(benchmark: Any) -> None:
    async def send(descriptor: int) -> None:
        writer = LineWriter(descriptor)
        connection, translator = Connection(writer, Peer()), UpdateTranslator()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            for number in range(UPDATES):
                msg = AgentMessageDelta(delta=f"word {number} ", item_id="item-1")
                for update in translator.updates(msg):
                    await connection.notify("session/update", {"sessionId": "s" * 36, "update": update})
            for update in translator.updates(AgentMessage(message="done", item_id="item-1")):
                await connection.notify("session/update", {"sessionId": "s" * 36, "update": update})
            while writer.waiting:  # noqa: ASYNC110 - nothing reports that all is written
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()

    def run() -> None:
        reading, writing = os.pipe()
        lines = 0

        def read() -> None:
            nonlocal lines
            with os.fdopen(reading, "rb") as file:
                lines = sum(1 for _ in file)

        reader = threading.Thread(target=read)
        reader.start()
        anyio.run(send, writing)
        os.close(writing)
        reader.join()
        assert lines == UPDATES

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["per_second"] = round(UPDATES / benchmark.stats.stats.median)


def test_fifty_sessions_in_one_process(benchmark: Any, workspace: Workspace) -> None:
    def run() -> None:
        with AcpClient(workspace) as client:
            client.initialize()
            params = {"cwd": str(workspace.directory), "mcpServers": []}
            opening = [client.send("session/new", params) for _ in range(SESSIONS)]
            sessions = [client.result(request)["sessionId"] for request in opening]
            for _ in range(2):
                prompts = [client.send("session/prompt", prompt_params(one, "go")) for one in sessions]
                assert {client.result(prompt)["stopReason"] for prompt in prompts} == {"end_turn"}
            status = Path(f"/proc/{client.process.pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            benchmark.extra_info["resident_mb"] = int(resident.split()[1]) // 1024

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert json.dumps(benchmark.extra_info)
