"""A client of the Agent Client Protocol for tests, which runs `code acp` and checks every received line."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from support.acp_schema import check_frame
from support.command import CODE, Workspace

Json = dict[str, Any]
Answer = Callable[[Json], Json | Exception | None]
SECONDS = 60.0
EDITOR: Json = {
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": True,
    "session": {"notices": {}, "compaction": {}, "configOptions": {"boolean": {}}},
    "plan": {},
    "elicitation": {"form": {}},
    "_meta": {"terminal_output": True},
}


class RequestFailed(Exception):  # noqa: N818 - an answer
    """The agent answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error))
        self.error = error
        self.code: int = error["code"]


class Refused(Exception):  # noqa: N818 - an answer
    """The client's answer to a request, as an error."""


class AcpClient:
    """A client with its agent. It works only while the test calls it; nothing runs in the background.

    Attributes:
        updates: the updates so far, oldest first.
        asked: the agent's requests so far.
        answers: the client's answers, by method; None leaves the request open.
    """

    def __init__(
        self,
        workspace: Workspace,
        *options: str,
        capabilities: Json | None = None,
        command: Sequence[str] = (CODE, "acp"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.workspace = workspace
        self.capabilities = {} if capabilities is None else capabilities
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=workspace.directory,
            env=dict(environment or workspace.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.updates: list[Json] = []
        self.asked: list[Json] = []
        self.notified: list[Json] = []
        self.answers: dict[str, Answer] = {}
        self.frames: list[Json] = []
        self._data = b""
        self._next_id = 0
        self._results: dict[Any, Json] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()

    def initialize(self, **more: Any) -> Json:
        """Shake hands."""
        return self.call(
            "initialize", {"protocolVersion": 1, "clientCapabilities": self.capabilities, **more}
        )

    def new_session(self, **more: Any) -> str:
        """Initialize the connection if needed, open a session and return its id."""
        if not self._next_id:
            self.initialize()
        params = {"cwd": str(self.workspace.directory), "mcpServers": [], **more}
        session: str = self.call("session/new", params)["sessionId"]
        return session

    def prompt(self, session: str, text: str = "go") -> str:
        """Send a prompt, wait for its end and return the stop reason."""
        reason: str = self.call("session/prompt", prompt_params(session, text))["stopReason"]
        return reason

    def call(self, method: str, params: Json) -> Json:
        """The result of a request.

        Raises:
            RequestFailed: the answer is an error.
        """
        return self.result(self.send(method, params))

    def send(self, method: str, params: Json) -> int:
        """Send a request and return its id."""
        request_id = self._next_id
        self._next_id += 1
        self.write({"id": request_id, "method": method, "params": params})
        return request_id

    def notify(self, method: str, params: Json) -> None:
        """Send a notification."""
        self.write({"method": method, "params": params})

    def write(self, message: Json) -> None:
        """Send a message."""
        self.write_line(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def write_line(self, line: bytes) -> None:
        """Send a line, whatever it is."""
        assert self.process.stdin is not None
        view = memoryview(line + b"\n")
        while view:
            view = view[self.process.stdin.write(view) :]

    def result(self, request_id: Any) -> Json:
        """Wait for the answer to a request.

        Raises:
            RequestFailed: it is an error.
        """
        self.until(lambda: request_id in self._results)
        answer = self._results.pop(request_id)
        if "error" in answer:
            raise RequestFailed(answer["error"])
        result: Json = answer["result"]
        return result

    def until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Read until `condition` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            line = self.read_line(deadline - time.monotonic())
            assert line is not None, "the agent has ended" + self.stderr()
            self._handle(json.loads(line))

    def drain(self, seconds: float) -> int:
        """Read for some time and return the number of messages."""
        count = len(self.frames)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self.read_line(left)
            except TimeoutError:
                break
            if line is None:
                break
            self._handle(json.loads(line))
        return len(self.frames) - count

    def read_line(self, seconds: float) -> bytes | None:
        """The next line; None at the end.

        Raises:
            TimeoutError: none comes in time.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._data:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            data = os.read(self.process.stdout.fileno(), 2**20)
            if not data:
                return None
            self._data += data
        line, _, self._data = self._data.partition(b"\n")
        assert len(line) < 8 * 2**20
        return line

    def stderr(self) -> str:
        """The agent's stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def of_kind(self, *kinds: str) -> list[Json]:
        """The updates of these kinds."""
        return [update for update in self.updates if update["sessionUpdate"] in kinds]

    def text(self) -> str:
        """The agent's messages."""
        return "".join(update["content"]["text"] for update in self.of_kind("agent_message_chunk"))

    def _handle(self, message: Json) -> None:
        check_frame(message)
        self.frames.append(message)
        match message:
            case {"method": method, "id": request_id, "params": params}:
                self.asked.append(message)
                answer = self.answers.get(method)
                if answer is None:
                    self.write({"id": request_id, "error": {"code": -32601, "message": "no such method"}})
                    return
                result = answer(params)
                if isinstance(result, Exception):
                    self.write({"id": request_id, "error": {"code": -32603, "message": str(result)}})
                elif result is not None:
                    self.write({"id": request_id, "result": result})
            case {"method": "session/update", "params": {"update": update}}:
                self.updates.append(update)
            case {"method": _}:
                self.notified.append(message)
            case {"id": request_id}:
                assert request_id not in self._results
                self._results[request_id] = message


def prompt_params(session: str, text: str) -> Json:
    """The parameters of a prompt with one text."""
    return {"sessionId": session, "prompt": [{"type": "text", "text": text}]}


def choose(option: str) -> Answer:
    """The answer to a permission request that chooses this option."""
    return lambda _: {"outcome": {"outcome": "selected", "optionId": option}}
