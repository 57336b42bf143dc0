"""One connection, everything at any moment: what holds whatever comes when.

`ACP_EXAMPLES=1250 pytest --timeout=900 --hypothesis-seed=N tests/mcp_server/acp/test_interleavings.py` runs more of
it; with N from 1 to 8 that makes 10,000 interleavings.
"""

import json
import os
from collections import Counter, deque
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_mcp_client.framing import Line, OversizeLine
from code_mcp_server.acp.jsonrpc import Notification
from mcp_server.acp.in_memory import Harness, harness

EXAMPLES = int(os.environ.get("ACP_EXAMPLES", "200"))
Json = dict[str, Any]

_STEPS = st.sampled_from(["text", "message", "ask", "ask", "ask", "command", "done", "complete", "fail"])
_OPTIONS = st.sampled_from(
    [
        "approved",
        "approved-for-session",
        "denied",
        "abort",
        "cancelled",
        "error",
        "nonsense",
        "cancelled error",
    ]
)
_SESSION = st.sampled_from([0, 0, 0, 0, 1, 2])
ACTIONS = st.one_of(
    st.tuples(st.just("new")),
    *[st.tuples(st.just("prompt"), _SESSION)] * 4,
    st.tuples(st.just("prompt and cancel"), _SESSION),
    st.tuples(st.just("cancel"), _SESSION),
    st.tuples(st.just("withdraw"), st.integers(0, 5)),
    *[st.tuples(st.just("step"), _SESSION, _STEPS)] * 9,
    st.tuples(st.just("answer"), _OPTIONS),
    st.tuples(st.just("answer"), _OPTIONS),
    st.tuples(st.just("answer twice"), _OPTIONS),
    st.tuples(st.just("mode"), _SESSION),
    st.tuples(st.just("close"), _SESSION),
    st.tuples(st.just("load"), _SESSION),
    st.tuples(st.just("resume"), _SESSION),
    st.tuples(st.just("delete"), _SESSION),
    st.tuples(st.just("nothing")),
)
SETTLED = 50
"""So often every task has run, until it waits for something that does not come by itself."""
MOST_WAITS = 2_000
"""How often 2 ms are given to the threads of the store; a busy machine needs many."""
_PAUSES = st.sampled_from([0, 1, 5, -1, -1, -1])
"""How many times the agent gets to run before the next action; -1 until it waits for one."""


class Editor:
    """A client that does what hypothesis says, and knows what it may expect."""

    def __init__(self, agent: Harness) -> None:
        self.agent = agent
        self.answers: set[int] = set()
        self.requests: dict[int, tuple[str, str]] = {}
        self.sessions: list[str] = []
        self.cancelled: set[int] = set()
        """Prompts that were open when the agent read a cancellation that was sent after them."""
        self._cancellations: deque[set[int]] = deque()
        agent.agent.observer = self._read

    def answered(self) -> dict[int, Json]:
        return {frame["id"]: frame for frame in self.agent.frames if "method" not in frame}

    def open_questions(self) -> list[int]:
        withdrawn = {
            frame["params"]["requestId"]
            for frame in self.agent.frames
            if frame.get("method") == "$/cancel_request"
        }
        asked = [
            frame["id"] for frame in self.agent.frames if frame.get("method") == "session/request_permission"
        ]
        return [one for one in asked if one not in withdrawn and one not in self.answers]

    def request(self, method: str, session: str = "", **params: Any) -> int:
        number = len(self.requests)
        self.requests[number] = (method, session)
        named = {"sessionId": session} if session else {}
        self.agent.send({"id": number, "method": method, "params": {**named, **params}})
        return number

    def session(self, number: int) -> str | None:
        for frame in self.answered().values():
            if (made := frame.get("result", {}).get("sessionId")) and made not in self.sessions:
                self.sessions.append(made)
        return self.sessions[number] if number < len(self.sessions) else None

    def act(self, action: tuple[Any, ...]) -> None:
        place: Json = {"cwd": "/", "mcpServers": []}
        match action:
            case ("new",):
                self.request("session/new", **place)
            case ("nothing",):
                pass
            case "withdraw", back:
                self.agent.send(
                    {"method": "$/cancel_request", "params": {"requestId": len(self.requests) - 1 - back}}
                )
            case (("answer" | "answer twice"), option):
                for question in self.open_questions()[:1]:
                    self.answers.add(question)
                    for _ in range(2 if action[0] == "answer twice" else 1):
                        self.agent.send({"id": question, **_answer(option)})
            case "step", number, what:
                session = self.session(number)
                for scripted in reversed(self.agent.manager.made):  # the newest, if it was opened again
                    if scripted.id == session:
                        scripted.step(what)
                        break
            case kind, number if (session := self.session(number)) is not None:
                self._on_session(kind, session, place)
            case _:
                pass

    def _on_session(self, kind: str, session: str, place: Json) -> None:
        prompt = {"prompt": [{"type": "text", "text": "go"}]}
        match kind:
            case "prompt":
                self.request("session/prompt", session, **prompt)
            case "prompt and cancel":
                self.request("session/prompt", session, **prompt)
                self.cancel(session)
            case "cancel":
                self.cancel(session)
            case "mode":
                self.request("session/set_mode", session, modeId="auto")
            case "close" | "delete":
                self.request(f"session/{kind}", session)
            case "load" | "resume":
                self.request(f"session/{kind}", session, **place)

    def cancel(self, session: str) -> None:
        prompts = {
            number
            for number, (method, of) in self.requests.items()
            if method == "session/prompt" and of == session
        }
        self._cancellations.append(prompts)
        self.agent.send({"method": "session/cancel", "params": {"sessionId": session}})

    def _read(self, notification: Notification) -> None:
        if notification.method == "session/cancel":
            self.cancelled |= self._cancellations.popleft() - self.answered().keys()


def _answer(option: str) -> Json:
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


async def _pause(times: int) -> None:
    for _ in range(times if times >= 0 else SETTLED):
        await anyio.lowlevel.checkpoint()


async def _run(actions: list[tuple[tuple[Any, ...], int]], *, ends: bool) -> None:
    with anyio.fail_after(20):
        async with harness() as agent:
            editor = Editor(agent)
            editor.request("session/new", cwd="/", mcpServers=[])
            await _pause(-1)
            for action, pause in actions:
                editor.act(action)
                await _pause(pause)
            if ends:
                agent.end()  # the client is gone in the middle of everything
                return
            await _wind_up(editor)
            _check(editor)


async def _wind_up(editor: Editor) -> None:
    """Whatever is open now ends: each session is cancelled."""
    await _pause(-1)
    await anyio.sleep(0.001)  # threads of the store
    await _pause(-1)
    editor.session(0)
    for session in editor.sessions:
        editor.cancel(session)
    for _ in range(MOST_WAITS):
        await _pause(-1)
        if len(editor.answered()) == len(editor.requests):
            break
        await anyio.sleep(0.002)
    await _pause(-1)


def _check(editor: Editor) -> None:
    frames = editor.agent.frames
    counts = Counter(frame["id"] for frame in frames if "method" not in frame)
    assert counts == dict.fromkeys(editor.requests, 1)
    assert editor.open_questions() == []
    for number in editor.cancelled:
        answer = editor.answered()[number]
        assert answer.get("result") == {"stopReason": "cancelled"} or answer["error"]["code"] in {
            -32800,  # withdrawn
            -32600,  # another was being answered
            -32002,  # closed before
        }
    _check_order(editor, frames)


def _check_order(editor: Editor, frames: list[Json]) -> None:
    """Updates of a turn come before the answer of its prompt, and each call that began has ended by then."""
    quiet = {"available_commands_update", "current_mode_update", "config_option_update"}
    open_calls: dict[str, set[str]] = {}
    for at, frame in enumerate(frames):
        match frame:
            case {"method": "session/update", "params": {"sessionId": session, "update": update}}:
                calls = open_calls.setdefault(session, set())
                if update.get("status") in {"completed", "failed"}:
                    calls.discard(update["toolCallId"])
                elif "toolCallId" in update:
                    calls.add(update["toolCallId"])
                if update["sessionUpdate"] not in quiet:
                    assert _prompt_open(editor, frames, at, session), update
            case {"id": number, **rest} if "method" not in frame:
                method, session = editor.requests[number]
                if method == "session/prompt" and "result" in rest:
                    assert not open_calls.get(session), rest


def _prompt_open(editor: Editor, frames: list[Json], at: int, session: str) -> bool:
    """Whether some prompt of the session is answered later than at this place."""
    return any(
        "method" not in frame and editor.requests[frame["id"]] == ("session/prompt", session)
        for frame in frames[at:]
    )


@pytest.mark.usefixtures("in_memory")
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(st.tuples(ACTIONS, _PAUSES), min_size=12, max_size=60), ends=st.booleans())
def test_every_request_is_answered_once_and_nothing_follows_the_end_of_a_turn(
    actions: list[tuple[tuple[Any, ...], int]], ends: bool
) -> None:
    anyio.run(lambda: _run(actions, ends=ends))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
METHOD = st.sampled_from(
    "initialize authenticate logout session/new session/load session/resume session/list session/close "
    "session/delete session/prompt session/set_mode session/set_config_option session/set_model session/cancel "
    "$/cancel_request session/fork x".split()
)
NAMES = st.sampled_from(
    "sessionId cwd mcpServers prompt modeId configId value methodId cursor additionalDirectories systemPrompt _meta "
    "requestId modelId".split()
)
PARAMS = st.dictionaries(NAMES | st.text(max_size=5), JSON | st.just("/") | st.just([]), max_size=5)


@pytest.mark.usefixtures("in_memory")
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=st.lists(st.tuples(METHOD, PARAMS | JSON, st.integers(0, 3) | JSON), max_size=8))
def test_no_parameters_crash_it_and_every_request_is_answered(calls: list[tuple[str, Any, Any]]) -> None:
    async def main() -> None:
        with anyio.fail_after(20):
            async with harness() as agent:
                for method, params, number in calls:
                    agent.send({"id": number, "method": method, "params": params})
                for _ in range(MOST_WAITS):
                    await _pause(-1)
                    if len(agent.frames) >= len(calls):
                        break
                    await anyio.sleep(0.002)
                valid = [
                    n
                    for _, _, n in calls
                    if n is None or (isinstance(n, int | str) and not isinstance(n, bool))
                ]
                answers = [frame["id"] for frame in agent.frames if "method" not in frame]
                assert len(answers) == len(calls)
                assert Counter(map(repr, valid)) == Counter(
                    repr(one) for one in answers if one is not None
                ) + Counter(repr(None) for one in valid if one is None)
                agent.send({"id": "last", "method": "session/list", "params": {}})
                await _pause(-1)
                for _ in range(MOST_WAITS):
                    if agent.frames and agent.frames[-1].get("id") == "last":
                        break
                    await anyio.sleep(0.002)
                assert "result" in agent.frames[-1]

    anyio.run(main)


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"session/list"}]',
        b"1",
        b"null",
        b'"text"',
        b"{",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id":1,"method":5}',
        b'{"id":1.5,"method":"session/list"}',
        b'{"id":{},"method":"session/list"}',
        b'{"id":true,"method":"session/list"}',
        b'{"id":1,"method":"session/list","params":[]}',
        b'{"id":1,"method":"session/list","params":' + b"9" * 5000 + b"}",
        b'{"id":1,"method":"session/list","params":{"a":NaN}}',
        json.dumps({"id": "\ud800", "method": "session/list"}).encode(),
        json.dumps(
            {"id": 1, "method": "session/prompt", "params": {"sessionId": "x", "_meta": {"sessionId": "y"}}}
        ).encode(),
        OversizeLine(2**30, b"{", b"}"),
    ],
)
def test_a_bad_line_is_answered_and_the_next_one_too(line: Line) -> None:
    async def main() -> None:
        with anyio.fail_after(20):
            async with harness() as agent:
                agent.send_line(line)
                agent.send({"id": "last", "method": "session/list", "params": {}})
                for _ in range(1_000):
                    if agent.frames and agent.frames[-1].get("id") == "last":
                        break
                    await anyio.sleep(0.001)
                first, last = agent.frames
                assert "result" in first or first["error"]["code"] in {-32700, -32600, -32602, -32002}
                assert "result" in last

    anyio.run(main)


@pytest.mark.usefixtures("in_memory")
def test_a_cancellation_that_crosses_the_end_of_the_turn_counts() -> None:
    async def main() -> None:
        with anyio.fail_after(20):
            async with harness() as agent:
                editor = Editor(agent)
                editor.request("session/new", cwd="/", mcpServers=[])
                await _pause(-1)
                editor.act(("prompt", 0))
                await _pause(-1)
                editor.act(("step", 0, "complete"))
                editor.act(("cancel", 0))
                await _wind_up(editor)
                assert editor.answered()[1]["result"] == {"stopReason": "cancelled"}
                _check(editor)

    anyio.run(main)
