"""Commands that outlive their calls, in a session: what the model and the user learn, and how they end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.ops import Compact, ListTerminals, Shutdown, StopTerminals
from core.session.conversing import BYE, Frontend, after, user
from core.tools.test_exec_command import running
from support import responses_events as sse
from support.scenario import Response


@pytest.fixture(autouse=True)
def _no_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own shell profile takes seconds on some machines."""
    monkeypatch.setenv("HOME", str(tmp_path))


def exec_command(cmd: str, call_id: str = "c1", **more: Any) -> Response:
    arguments = {"cmd": cmd, "yield_time_ms": 250, **more}
    return [sse.function_call("exec_command", arguments, call_id), sse.completed()]


def look(call_id: str) -> Response:
    return [sse.function_call("write_stdin", {"session_id": 1}, call_id), sse.completed()]


async def until_running(mark: str) -> None:
    with anyio.fail_after(10):
        while not running(mark):  # noqa: ASYNC110 - another process; nothing tells when it begins
            await anyio.sleep(0.01)


def texts(frontend: Frontend) -> list[str]:
    history = frontend.conversation.session.history.items
    return [json.dumps(one.item.model_dump(mode="json")) for one in history]


def test_a_running_command_is_listed_stopped_and_shown_to_the_model(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        changed = await frontend.until("terminals_changed")
        [one] = changed.terminals
        assert (one.session_id, one.command, one.confined) == (1, "sleep 4711", False)
        await frontend.until("task_complete")
        await until_running("4711")
        await frontend.send(user("next"))
        await frontend.until("task_complete")
        [shown] = [text for text in texts(frontend) if "<running_commands>" in text]
        assert "session 1: sleep 4711" in shown
        await frontend.send(ListTerminals())
        assert len((await frontend.until("terminals_changed")).terminals) == 1
        await frontend.send(StopTerminals(session_id=1))
        ended = await frontend.until("terminal_ended")
        assert ended.stopped
        assert not running("4711")
        assert (await frontend.until("terminals_changed")).terminals == []
        await frontend.send(StopTerminals())
        assert "nothing to stop" in (await frontend.until("warning")).message
        await frontend.send(user("last"))
        await frontend.until("task_complete")
        assert (
            "<running_commands>"
            not in [text for text in texts(frontend) if "<environment_context>" in text][-1]
        )

    converse(script, exec_command("sleep 4711"), after("running with session ID 1"), BYE, BYE)


def test_a_running_command_ends_with_the_session(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        await until_running("4712")
        await frontend.send(Shutdown())
        await frontend.until("shutdown_complete")

    hidden = "setsid nohup sleep 4712 & sleep 4712"
    converse(script, exec_command(hidden, tty=True), after("running with session ID 1"))
    assert not running("4712")


def test_polling_is_not_a_repetition(converse: Callable[..., None], monkeypatch: Any) -> None:
    monkeypatch.setattr("code_core.tools.exec_commands.POLL_WAIT", 1)

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert frontend.kinds.count("exec_command_end") == 8

    looks = [look(f"look{number}") for number in range(7)]
    converse(script, exec_command("sleep 4713"), *looks, BYE)


def test_a_compaction_keeps_running_commands(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        await frontend.send(Compact())
        await frontend.until("task_complete")
        assert any("Still running: session 1: sleep 4714" in text for text in texts(frontend))

    converse(script, exec_command("sleep 4714"), BYE, [sse.message("a summary"), sse.completed()])
