"""The agent as a process, used at random and killed at any moment: it leaves no processes, and loses no output.

`ACP_KILLS=200 pytest --timeout=7200 tests/mcp_server/acp/test_killed.py` walks that many times; without it, a few.
"""

import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import AcpClient, RequestFailed, choose, prompt_params
from support.command import Workspace
from support.running import naps

WALKS = int(os.environ.get("ACP_KILLS", "2"))
STEPS = 12
LOOK_SECONDS = 0.3
END_SECONDS = 10.0
NAP = "sleep 300 & setsid sleep 300 & printf beg; echo un; wait"
"""The printed word does not occur in the script, which the title of the call shows."""
OPTIONS = ["approved", "approved", "denied", "abort"]
MODES = ["read-only", "auto", "full-access"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]


def responses() -> list[list[dict[str, Any]]]:
    """Quick turns, turns with questions, and turns with a command that runs for minutes."""
    quick = [[sse.message("Yes."), sse.completed()]]
    asks = {"command": ["touch", "made"], "with_escalated_permissions": True, "justification": "to see"}
    asking = [[sse.function_call("shell", asks, "c1"), sse.completed()], *quick]
    naps = [[sse.function_call("shell", {"command": ["bash", "-c", NAP]}, "c2"), sse.completed()], *quick]
    return [*naps, *quick, *asking, *naps, *asking] * 10


class Walk:
    """One agent after another over the same sessions."""

    def __init__(self, workspace: Workspace, random: Random) -> None:
        self.workspace, self.random = workspace, random
        self.sessions: list[str] = []
        self.client = self._started()
        self.prompts: dict[int, str] = {}
        self.idle_descriptors: int | None = None

    def _started(self) -> AcpClient:
        client = AcpClient(self.workspace, "-s", "danger-full-access", "-a", "on-request")
        client.answers["session/request_permission"] = self._permit
        client.initialize()
        return client

    def _permit(self, _: dict[str, Any]) -> dict[str, Any] | None:
        """An answer, or none because the user is away."""
        if self.random.random() < 0.3:
            return None
        return choose(self.random.choice(OPTIONS))({})  # type: ignore[return-value]  # an object

    def step(self) -> None:
        session_params = {"cwd": str(self.workspace.directory), "mcpServers": []}
        draw = self.random.random()
        if not self.sessions or draw < 0.1:
            self.sessions.append(self.client.call("session/new", session_params)["sessionId"])
            return
        session = self.random.choice(self.sessions)
        named = {"sessionId": session}
        if draw < 0.45:
            self.prompts[self.client.send("session/prompt", prompt_params(session, "go"))] = session
            self.client.drain(self.random.choice([0.0, LOOK_SECONDS, 1.0]))
        elif draw < 0.6:
            self.client.notify("session/cancel", named)
        elif draw < 0.8:
            method = self.random.choice(["load", "resume", "close", "list"])
            params = (
                {} if method == "list" else named | (session_params if method in {"load", "resume"} else {})
            )
            self._call(f"session/{method}", params)
        else:
            self._call("session/set_mode", named | {"modeId": self.random.choice(MODES)})

    def _call(self, method: str, params: dict[str, Any]) -> None:
        try:
            self.client.call(method, params)
        except RequestFailed as refused:  # busy, or not open
            assert refused.code in {-32600, -32002}, refused

    def settle(self) -> None:
        """Cancel and close everything: every prompt is answered, and the agent holds no more than at its start."""
        for session in self.sessions:
            self.client.notify("session/cancel", {"sessionId": session})
        for prompt in self.prompts:
            try:
                assert self.client.result(prompt)["stopReason"] in {"cancelled", "end_turn"}
            except RequestFailed as refused:
                assert refused.code in {-32600, -32002, -32603}, refused
        self.prompts.clear()
        for session in self.sessions:
            self._call("session/close", {"sessionId": session})
        assert self.client.drain(LOOK_SECONDS) == 0
        assert self.commands() == []
        descriptors = self._descriptors()
        if self.idle_descriptors is not None:
            assert descriptors <= self.idle_descriptors, descriptors
        self.idle_descriptors = descriptors

    def kill(self) -> None:
        """SIGKILL the agent, check that its children and the guardian end, and start another agent."""
        children = psutil.Process(self.client.process.pid).children(recursive=True)
        self.client.process.kill()
        self.client.process.wait()
        _, left = psutil.wait_procs(children, END_SECONDS)
        assert not left, left
        self._next_agent()

    def end_input(self) -> None:
        """Close the agent's input; it ends by itself."""
        assert self.client.process.stdin is not None
        self.client.process.stdin.close()
        self.client.process.wait(END_SECONDS)
        self._next_agent()

    def _next_agent(self) -> None:
        with self.client:
            pass
        wait_for_naps_to_end(self.workspace.directory)
        self.prompts.clear()
        self.client = self._started()
        self.idle_descriptors = None
        session_params = {"cwd": str(self.workspace.directory), "mcpServers": []}
        for session in self.sessions:  # everything that was opened can be opened again
            self.client.call("session/load", {"sessionId": session, **session_params})
        calls = {one["toolCallId"]: one["status"] for one in self.client.updates if "toolCallId" in one}
        assert set(calls.values()) <= {"completed", "failed"}

    def commands(self) -> list[list[str]]:
        """The agent's child processes, except the guardian, which ends the commands of a killed agent."""
        return [one for one in self._children() if not is_guardian(one)]

    def _descriptors(self) -> int:
        """The number of its open files, without the pipe to the guardian, which starts with the first command."""
        guardians = [one for one in self._children() if is_guardian(one)]
        assert len(guardians) <= 1
        return psutil.Process(self.client.process.pid).num_fds() - len(guardians)

    def _children(self) -> list[list[str]]:
        return [one.cmdline() for one in psutil.Process(self.client.process.pid).children(recursive=True)]


def is_guardian(command: list[str]) -> bool:
    return any("guardian_exec" in argument for argument in command)


def wait_for_naps_to_end(directory: Path) -> None:
    _, left = psutil.wait_procs(naps(directory), END_SECONDS)
    assert not left, left
    assert naps(directory) == []


@pytest.mark.timeout(7200 if WALKS > 2 else 300)
@pytest.mark.parametrize("seed", range(WALKS))
def test_random_use_with_kills_leaves_no_processes(workspace: Workspace, replay: Replay, seed: int) -> None:
    replay(*responses())
    walk = Walk(workspace, Random(seed))  # noqa: S311 - not a secret
    try:
        for ending in (walk.kill, walk.settle, walk.end_input, walk.kill, walk.settle, walk.settle):
            for _ in range(walk.random.randrange(STEPS)):
                walk.step()
            ending()
    finally:
        with walk.client:
            pass
    wait_for_naps_to_end(workspace.directory)
