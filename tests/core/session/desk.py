"""A home with stored sessions and conversations."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from code_core.config.load import ConfigOverrides
from code_core.protocol.items import FunctionCall
from code_core.protocol.policies import SandboxMode
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.wire.response_events import ItemDone
from code_core.wire.responses import request_body
from core.session.scripted import Reading, ScriptedModel, completed, event_order, text

Script = Callable[[Reading], Awaitable[None]]


class Desk:
    """A home, a directory to work in, and conversations there."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()

    def overrides(self, **more: Any) -> ConfigOverrides:
        given: dict[str, Any] = {
            "replay_scenario": self.home / "unused",
            "sandbox_mode": SandboxMode.DANGER_FULL_ACCESS,
        }
        return ConfigOverrides(**(given | more))

    def new(self, model: ScriptedModel, script: Script, parts: Parts | None = None, **more: Any) -> str:
        """Run `script` in a new conversation and return its id."""
        return self._run(model, script, "new", (), parts, {"cwd": self.work} | more)

    def resume(
        self, session: Any, client: ScriptedModel, script: Script, parts: Parts | None = None, **more: Any
    ) -> str:
        return self._run(client, script, "resume", (session,), parts, more)

    def fork(
        self, session: Any, client: ScriptedModel, script: Script, drop_last: int = 0, **more: Any
    ) -> str:
        return self._run(client, script, "fork", (session,), None, more, drop_last=drop_last)

    def _run(
        self,
        model: ScriptedModel,
        script: Script,
        method: str,
        arguments: Sequence[Any],
        parts: Parts | None,
        overrides: dict[str, Any],
        **more: Any,
    ) -> str:
        async def main() -> str:
            with anyio.fail_after(20), ConversationManager() as manager:
                make = getattr(manager, method)
                wanted = parts or Parts(client=model, source="cli")
                async with await make(
                    *arguments, self.overrides(**overrides), wanted, **more
                ) as conversation:
                    await script(Reading(conversation))
                    return str(conversation.id)
            raise AssertionError

        return anyio.run(main)

    def rollouts(self) -> list[Path]:
        return sorted(self.home.glob("sessions/*/*/*/*.jsonl"))


def turns(*words: str) -> Script:
    async def script(reading: Reading) -> None:
        for one in words:
            await reading.send(text(one))
            assert (await reading.ended()).type == "task_complete"

    return script


def step(name: str, arguments: Any, number: int) -> list[Any]:
    """A response with one call, `c{number}`."""
    call = FunctionCall(name=name, arguments=json.dumps(arguments), call_id=f"c{number}")
    return [ItemDone(call, event_order()), completed()]


def input_of(model: ScriptedModel, request: int = -1) -> list[Any]:
    return list(request_body(model.prompts[request])["input"])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread does to files."""
    while not condition():  # noqa: ASYNC110 - nothing reports that files have changed
        await anyio.sleep(0.01)
