"""A scripted client, which notes everything unexpected that the agent does."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from code_mcp_server.jsonrpc import Notification, Request
from mcp_server.acp.in_memory import Harness

Json = dict[str, Any]
Action = tuple[Any, ...]
"""An event: what happens, the number of its session, and how."""
CAPABILITIES: Json = {"elicitation": {"form": {}}}
WORK: Json = {"cwd": "/", "mcpServers": []}
QUESTIONS = {"session/request_permission", "elicitation/create"}
NOT_OF_A_TURN = {"available_commands_update", "current_mode_update", "config_option_update"}
"""Updates that can come outside turns: after a session was opened or its settings changed."""
ALLOWED_ERRORS = {
    -32800,  # withdrawn
    -32600,  # another prompt is being answered
    -32002,  # closed before
}
"""Other possible stop reasons of a cancelled prompt."""
ENGINE_FAILED = "the session failed; load it again to continue"
"""The error of a prompt whose engine failed before the cancellation arrived."""


@dataclass
class Sent:
    """A request from the client.

    Attributes:
        begun: whether the agent has started to process it.
        answer: the response, once it has arrived.
    """

    method: str
    session: str
    begun: bool = False
    answer: Json | None = None

    @property
    def runs(self) -> bool:
        return self.begun and self.answer is None


@dataclass
class Editor:
    """See the module.

    Attributes:
        requests: the requests sent, by id.
        sessions: the ids of the sessions so far, oldest first.
        violations: what the agent did unexpectedly. Raised at once, they would only fail the session that did it.
    """

    agent: Harness
    requests: list[Sent] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    violations: list[AssertionError] = field(default_factory=list)
    _questions: dict[int, tuple[str, str]] = field(default_factory=dict)
    _open_calls: dict[str, set[str]] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _cancelled: set[int] = field(default_factory=set)
    """Prompts that were running when the agent processed a later cancellation."""
    _cancellations: deque[tuple[str, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.agent.agent.observer = self._read
        self.agent.writer.on_frame = self._check

    @property
    def waiting(self) -> list[int]:
        """The unanswered requests."""
        return [number for number, sent in enumerate(self.requests) if sent.answer is None]

    @property
    def is_asked(self) -> bool:
        """Whether a question of the agent's is open."""
        return bool(self._questions)

    def is_running(self, number: int) -> bool:
        """Whether the session of this number is answering a prompt."""
        return number < len(self.sessions) and self._prompt_runs(self.sessions[number])

    def request(self, method: str, session: str = "", **params: Any) -> int:
        number = len(self.requests)
        self.requests.append(Sent(method, session))
        named = {"sessionId": session} if session else {}
        self.agent.send({"id": number, "method": method, "params": {**named, **params}})
        return number

    def cancel(self, session: str) -> None:
        self._cancellations.append((session, len(self.requests)))
        self.agent.send({"method": "session/cancel", "params": {"sessionId": session}})

    def act(self, action: Action) -> None:
        """Do one thing; has no effect if the session or question does not exist."""
        match action:
            case ("new",):
                self.request("session/new", **WORK)
            case "withdraw", back:
                withdrawn = {"requestId": len(self.requests) - 1 - back}
                self.agent.send({"method": "$/cancel_request", "params": withdrawn})
            case (("answer" | "answer twice") as how, option):
                self._answer(option, times=2 if how == "answer twice" else 1)
            case "step", number, what if number < len(self.sessions):
                for scripted in reversed(self.agent.manager.made):  # the newest, if it was opened again
                    if scripted.id == self.sessions[number]:
                        scripted.step(what)
                        break
            case str(kind), int(number) if number < len(self.sessions):
                self._on_session(kind, self.sessions[number])
            case _:
                pass

    def check_violations(self) -> None:
        """Fail if the agent has done something unexpected."""
        for violation in self.violations:
            raise violation

    def check_settled(self) -> None:
        """Fail if something is open although nothing can happen any more."""
        assert self.waiting == []
        assert self._questions == {}

    def _on_session(self, kind: str, session: str) -> None:
        match kind:
            case "prompt" | "prompt and cancel" | "prompt twice":
                prompt = {"prompt": [{"type": "text", "text": "go"}]}
                for _ in range(2 if kind == "prompt twice" else 1):
                    self.request("session/prompt", session, **prompt)
                if kind == "prompt and cancel":
                    self.cancel(session)
            case "cancel":
                self.cancel(session)
            case "mode":
                self.request("session/set_mode", session, modeId="auto")
            case "model":
                self.request("session/set_config_option", session, configId="model", value="other")
            case "close" | "delete":
                self.request(f"session/{kind}", session)
            case "load" | "resume":
                self.request(f"session/{kind}", session, **WORK)

    def _answer(self, option: str, times: int) -> None:
        if not self._questions:
            return
        question, (method, _) = next(iter(self._questions.items()))
        del self._questions[question]
        answer = permission_answer(option) if method == "session/request_permission" else form_answer(option)
        for _ in range(times):
            self.agent.send({"id": question, **answer})

    def _read(self, message: Request | Notification) -> None:
        match message:
            case Request(id=int(number)):
                self.requests[number].begun = True
            case Notification(method="session/cancel"):
                session, sent_before = self._cancellations.popleft()
                self._cancelled |= {
                    number
                    for number, sent in enumerate(self.requests[:sent_before])
                    if (sent.method, sent.session) == ("session/prompt", session) and sent.answer is None
                }
            case _:
                pass

    def _check(self, frame: Json) -> None:
        try:
            self._received(frame)
        except AssertionError as violation:
            self.violations.append(violation)

    def _received(self, frame: Json) -> None:
        match frame:
            case {"method": "session/update", "params": {"sessionId": session, "update": update}}:
                self._updated(session, update)
            case {"method": "$/cancel_request", "params": {"requestId": question}}:
                self._questions.pop(question, None)
            case {"method": method, "id": question, "params": {"sessionId": session}}:
                assert method in QUESTIONS
                assert self._prompt_runs(session), frame
                self._questions[question] = method, session
            case {"id": number}:
                self._answered(number, frame)

    def _updated(self, session: str, update: Json) -> None:
        assert session not in self._closed, update
        if update["sessionUpdate"] not in NOT_OF_A_TURN:
            assert self._prompt_runs(session), update
        calls = self._open_calls.setdefault(session, set())
        if update.get("status") in {"completed", "failed"}:
            calls.discard(update["toolCallId"])
        elif "toolCallId" in update:
            calls.add(update["toolCallId"])

    def _answered(self, number: int, frame: Json) -> None:
        sent = self.requests[number]
        assert sent.answer is None, frame
        sent.answer = frame
        match sent.method, frame:
            case "session/new", {"result": {"sessionId": session}}:
                self.sessions.append(session)
            case (("session/load" | "session/resume"), {"result": _}):
                self._closed.discard(sent.session)
            case (("session/close" | "session/delete"), {"result": _}) if not self._is_opening(sent.session):
                self._closed.add(sent.session)
            case "session/prompt", _:
                self._prompt_answered(number, sent, frame)

    def _prompt_answered(self, number: int, sent: Sent, frame: Json) -> None:
        if "result" in frame:
            assert not self._open_calls.get(sent.session), frame
        if not self._prompt_runs(sent.session):
            assert all(session != sent.session for _, session in self._questions.values()), frame
        if number in self._cancelled:
            cancelled = frame.get("result") == {"stopReason": "cancelled"}
            error = frame.get("error", {})
            assert cancelled or error["code"] in ALLOWED_ERRORS or error["message"] == ENGINE_FAILED, frame

    def _prompt_runs(self, session: str) -> bool:
        return any(
            sent.runs and (sent.method, sent.session) == ("session/prompt", session) for sent in self.requests
        )

    def _is_opening(self, session: str) -> bool:
        opening = {"session/load", "session/resume"}
        return any(sent.runs and sent.session == session and sent.method in opening for sent in self.requests)


def permission_answer(option: str) -> Json:
    match option:
        case "cancelled":
            return {"result": {"outcome": {"outcome": "cancelled"}}}
        case "error":
            return {"error": {"code": -32603, "message": "no"}}
        case "cancelled error":
            return {"error": {"code": -32800, "message": "no"}}
        case "nonsense":
            return {"result": {"outcome": {"outcome": "maybe"}}}
        case _:
            return {"result": {"outcome": {"outcome": "selected", "optionId": option}}}


def form_answer(option: str) -> Json:
    match option:
        case "error" | "cancelled error":
            return permission_answer(option)
        case "nonsense":
            return {"result": {"action": ["accept"]}}
        case "denied" | "abort":
            return {"result": {"action": "decline"}}
        case "cancelled":
            return {"result": {"action": "cancel"}}
        case _:
            return {"result": {"action": "accept", "content": {"name": "me"}}}
