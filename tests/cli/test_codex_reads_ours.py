"""A session of ours in the real Codex: listed, shown and resumed by its app server.

Needs `codex` on PATH, or the path of one in CODE_TEST_CODEX; 0.169 was tried.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace

CODEX = os.environ.get("CODE_TEST_CODEX") or shutil.which("codex")


class AppServer:
    """`codex app-server`, asked over its standard streams."""

    def __init__(self, home: Path) -> None:
        assert CODEX is not None
        environment = {"CODEX_HOME": str(home), "HOME": str(home), "PATH": os.environ["PATH"]}
        self._process = subprocess.Popen(
            [CODEX, "app-server"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._asked = 0
        self.ask("initialize", clientInfo={"name": "test", "title": "test", "version": "1"})

    def ask(self, method: str, **params: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": params}
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._asked:
                return answer["result"]
        raise AssertionError("codex ended")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.skipif(CODEX is None, reason="codex is missing")
def test_codex_lists_shows_and_resumes_a_session_of_ours(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(
        stream(sse.created(), sse.function_call("shell", {"command": ["true"]}, "c1"), sse.completed()),
        stream(sse.created(), sse.message("all done"), sse.completed()),
    )
    assert workspace.run("exec", "please do it").returncode == 0
    shutil.rmtree(workspace.home / "locks")
    (workspace.home / "config.toml").write_text(
        f'model_provider = "scripted"\n[model_providers.scripted]\nname = "S"\nbase_url = "{upstream.base_url}"\n'
    )
    codex = AppServer(workspace.home)
    try:
        (thread,) = codex.ask("thread/list", sourceKinds=["exec"], modelProviders=[])["data"]
        assert (thread["preview"], thread["cwd"]) == ("please do it", str(workspace.directory))
        assert thread["gitInfo"]["branch"] == "main"
        (turn,) = codex.ask("thread/read", threadId=thread["id"], includeTurns=True)["thread"]["turns"]
        assert turn["status"] == "completed"
        assert [item["type"] for item in turn["items"]] == ["userMessage", "agentMessage"]
        assert turn["items"][1]["text"] == "all done"
        resumed = codex.ask("thread/resume", threadId=thread["id"])["thread"]
        assert (resumed["id"], resumed["status"]["type"]) == (thread["id"], "idle")
    finally:
        codex.close()
