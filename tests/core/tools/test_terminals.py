"""Commands that outlive their calls: their numbers, their list, their end."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from code_core.process.spawn import Exit
from code_core.protocol.events import EventMsg
from code_core.protocol.policies import ReadOnly
from code_core.protocol.terminal_events import TerminalEnded, TerminalInfo, TerminalsChanged
from code_core.tools.terminals import LONGEST_SHOWN, MOST, Terminals, TooManyTerminals
from core.tools.conftest import Emitted


class Running:
    """A stand-in for a session, which runs until it is stopped."""

    def __init__(self, number: int, *command: str, tty: bool = False, confined: bool = False) -> None:
        self.id = number
        self.command = SimpleNamespace(
            command=command or ("sleep", "1"),
            cwd=Path("/w"),
            tty=tty,
            policy=ReadOnly() if confined else None,
        )
        self.end: Exit | None = None
        self.stopped = False
        self.finished = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await self.finished.wait()

    def stop(self) -> None:
        self.stopped = True
        self.ended(143)

    def ended(self, code: int = 0) -> None:
        self.end = Exit(code, 1.5)
        self.finished.set()


class Failing(Running):
    async def run(self, *, task_status: TaskStatus[None]) -> None:
        del task_status
        raise FileNotFoundError("no such program")


def serve(body: Callable[[Terminals], Awaitable[None]], emit: Callable[[EventMsg], Awaitable[None]]) -> None:
    async def main() -> None:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                terminals = Terminals()
                terminals.serve(tasks, emit)
                await body(terminals)
                tasks.cancel_scope.cancel()

    anyio.run(main)


async def start(terminals: Terminals, *command: str, **more: Any) -> Any:
    session: Any = Running(terminals.new_id(), *command, **more)
    await terminals.start(session)
    return session


def test_numbers_are_unique(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        first = await start(terminals)
        terminals.forget(first)
        assert (await start(terminals)).id == first.id + 1 == 2
        assert terminals.find(1) is None
        assert terminals.find(2) is not None

    serve(body, emitted)


def test_running_commands_are_listed_oldest_first(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        await start(terminals, "sleep", "1", tty=True)
        ended = await start(terminals)
        await start(terminals, "bash", "-lc", "x" * 300, confined=True)
        ended.ended()
        assert terminals.listing() == TerminalsChanged(
            terminals=[
                TerminalInfo(session_id=1, command="sleep 1", cwd=Path("/w"), tty=True, confined=False),
                TerminalInfo(session_id=3, command="x" * 300, cwd=Path("/w"), tty=False, confined=True),
            ]
        )
        assert terminals.shown() == (
            "session 1: sleep 1 (in /w)",
            f"session 3: {'x' * LONGEST_SHOWN} (in /w)",
        )
        assert terminals.find(2) is ended  # until its output was read

    serve(body, emitted)


def test_the_oldest_ended_command_makes_room(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        sessions = [await start(terminals) for _ in range(MOST)]
        with pytest.raises(TooManyTerminals, match="64 commands are running"):
            terminals.new_id()
        sessions[3].ended()
        sessions[5].ended()
        assert terminals.new_id() == MOST + 1
        assert terminals.find(sessions[3].id) is None
        assert terminals.find(sessions[5].id) is sessions[5]

    serve(body, emitted)


def test_a_command_that_does_not_start_is_forgotten(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        session: Any = Failing(terminals.new_id())
        with pytest.raises(FileNotFoundError):
            await terminals.start(session)
        assert terminals.find(session.id) is None

    serve(body, emitted)


def test_outside_a_conversation_nothing_starts() -> None:
    session: Any = Running(1)
    terminals = Terminals()
    with pytest.raises(RuntimeError, match="the conversation is not open"):
        anyio.run(terminals.start, session)
    assert terminals.find(1) is None
    anyio.run(terminals.outlive, session)  # nobody to report to


def test_a_command_that_outlives_its_call_is_reported_until_its_end(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        session = await start(terminals, "bash", "-lc", "serve")
        other = await start(terminals)
        await terminals.outlive(session)
        (changed,) = emitted.events
        assert isinstance(changed, TerminalsChanged)
        assert [one.session_id for one in changed.terminals] == [1, 2]
        await anyio.wait_all_tasks_blocked()
        session.ended(7)
        await anyio.wait_all_tasks_blocked()
        _, ended, changed = emitted.events
        assert isinstance(ended, TerminalEnded)
        assert (ended.session_id, ended.command, ended.exit_code) == (1, "serve", 7)
        assert (ended.duration.seconds, ended.stopped) == (1.5, False)
        assert isinstance(changed, TerminalsChanged)
        assert [one.session_id for one in changed.terminals] == [2]
        await terminals.outlive(other)
        assert terminals.stop(2)
        await anyio.wait_all_tasks_blocked()
        assert emitted.events[-2].stopped  # type: ignore[union-attr]  # a TerminalEnded

    serve(body, emitted)


def test_the_end_is_reported_even_on_cancellation() -> None:
    seen: list[str] = []

    async def slowly(msg: EventMsg) -> None:
        await anyio.sleep(0.05)
        seen.append(msg.type)

    async def body(terminals: Terminals) -> None:
        session = await start(terminals)
        await terminals.outlive(session)
        session.ended()
        await anyio.sleep(0.01)  # the report has begun

    serve(body, slowly)
    assert seen == ["terminals_changed", "terminal_ended", "terminals_changed"]


def test_a_command_without_a_known_end_is_not_reported(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        session = await start(terminals)
        await terminals.outlive(session)
        session.finished.set()
        await anyio.wait_all_tasks_blocked()

    serve(body, emitted)
    assert emitted.kinds == ["terminals_changed"]


def test_one_command_or_all_can_be_stopped(emitted: Emitted) -> None:
    async def body(terminals: Terminals) -> None:
        assert not terminals.stop()
        first, second, third = [await start(terminals) for _ in range(3)]
        assert not terminals.stop(4)
        assert terminals.stop(2)
        assert [one.stopped for one in (first, second, third)] == [False, True, False]
        assert not terminals.stop(2)
        assert terminals.stop()
        assert [one.stopped for one in (first, second, third)] == [True, True, True]

    serve(body, emitted)
