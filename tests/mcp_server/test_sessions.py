from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from code_core.config.load import ConfigOverrides
from code_core.protocol.events import Event, TaskComplete, TurnAborted
from code_core.protocol.ops import InputItem, TextInput
from code_core.protocol.policies import SandboxMode
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_mcp_server.errors import TooManySessions, UnknownSession
from code_mcp_server.sessions import session_pool
from support import responses_events as sse
from support.scenario import write_scenario

HELLO: list[InputItem] = [TextInput(text="hello")]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes conversations whose model gives these responses."""
    monkeypatch.setenv("CODE_HOME", str(tmp_path))

    def make(*responses: list[dict[str, Any]]) -> ConversationManager:
        scenario = write_scenario(tmp_path, responses)
        return ConversationManager(
            ConfigOverrides(
                cwd=tmp_path, replay_scenario=scenario, sandbox_mode=SandboxMode.DANGER_FULL_ACCESS
            )
        )

    return make


async def ignore(_: Conversation, __: Event, ___: TaskGroup) -> None:
    """For a client that ignores events."""


def test_above_the_limit_the_longest_idle_session_is_closed(manager: Any) -> None:
    async def main() -> None:
        async with session_pool(manager([sse.message("bye"), sse.completed()])) as pool:
            pool.limit = 2
            first, second = [await pool.open(ConfigOverrides()) for _ in range(2)]
            pool.find(first.id)
            third = await pool.open(ConfigOverrides())
            assert [*pool.sessions] == [first.id, third.id]
            with pytest.raises(UnknownSession):
                pool.find(second.id)
            turns = [await session.begin(HELLO) for session in (first, third)]
            with pytest.raises(TooManySessions, match="2 sessions are working"):
                await pool.open(ConfigOverrides())
            turns[0].followed = False  # its client has not returned
            await pool.open(ConfigOverrides())
            assert first.id not in pool.sessions

    anyio.run(main)


def test_a_prompt_whose_client_fails_is_interrupted_and_the_session_continues(manager: Any) -> None:
    sleep = [sse.function_call("shell", {"command": ["sleep", "60"]}, "c1"), sse.completed()]

    async def fail(_: Conversation, event: Event, __: TaskGroup) -> None:
        if event.msg.type == "exec_command_begin":
            raise OSError("the client has left")

    async def main() -> None:
        async with session_pool(manager(sleep, [sse.message("bye"), sse.completed()])) as pool:
            session = await pool.open(ConfigOverrides())
            with anyio.fail_after(20), pytest.raises(ExceptionGroup):
                await session.prompt(HELLO, fail)
            assert isinstance(await session.prompt(HELLO, ignore), TaskComplete)

    anyio.run(main)


def test_a_client_that_disconnects_at_the_last_event_does_not_wait_for_another(manager: Any) -> None:
    async def main() -> None:
        async with session_pool(manager([sse.message("bye"), sse.completed()])) as pool:
            session = await pool.open(ConfigOverrides())
            scope = anyio.CancelScope()

            async def leave(_: Conversation, event: Event, __: TaskGroup) -> None:
                if isinstance(event.msg, TaskComplete | TurnAborted):
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()

            with anyio.fail_after(4), scope:
                await session.prompt(HELLO, leave)
            assert scope.cancelled_caught
            assert not session.busy

    anyio.run(main)
