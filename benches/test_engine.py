"""Measures the engine itself: a turn, twenty calls, a stream of deltas, and a session of thousands of turns.

The replay model runs in the same process; commands are real. Whole runs of `code exec`: `test_exec.py`.
"""

import gc
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import ConfigOverrides
from code_core.model.retry import RetryLimits
from code_core.protocol.items import FunctionCall, Message, OutputText
from code_core.protocol.ops import TextInput, UserInput
from code_core.protocol.policies import SandboxMode
from code_core.protocol.token_events import TokenUsage
from code_core.session.manager import ConversationManager
from code_core.wire.response_events import Completed, ItemDone

ENDS = {"task_complete", "turn_aborted", "error"}
Event = dict[str, Any]


def _completed() -> Event:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return {"type": "response.completed", "response": {"id": "r", "usage": usage}}


def _message(text: str) -> Event:
    content = [{"type": "output_text", "text": text}]
    item = {"type": "message", "role": "assistant", "content": content}
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


def _call(number: int) -> Event:
    arguments = json.dumps({"command": ["/bin/true", str(number)]})
    item = {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": f"c{number}"}
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


def _delta(number: int) -> Event:
    return {"type": "response.output_text.delta", "output_index": 0, "delta": f"word {number} "}


BYE = [_message("bye"), _completed()]
WORK: dict[str, list[Sequence[Event]]] = {
    "one message": [BYE],
    "twenty commands": [*([_call(number), _completed()] for number in range(20)), BYE],
    "2,000 deltas": [[*(_delta(number) for number in range(2_000)), *BYE]],
}


@pytest.mark.parametrize("work", WORK)
def test_turn(
    benchmark: Callable[..., object], work: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn, from the op to its end, as a frontend sees it."""
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    scenario = tmp_path / "scenario.jsonl"
    lines = [{"replay": 1}, *({"stream": list(stream)} for stream in WORK[work])]
    scenario.write_text("".join(json.dumps(line) + "\n" for line in lines))
    overrides = ConfigOverrides(
        cwd=tmp_path, replay_scenario=scenario, sandbox_mode=SandboxMode.DANGER_FULL_ACCESS
    )

    async def turn() -> None:
        async with await ConversationManager().new(overrides) as conversation:
            await conversation.submit(UserInput(items=[TextInput(text="go")]))
            async for event in conversation.events():
                if event.msg.type in ENDS:
                    assert event.msg.type == "task_complete"
                    return

    benchmark(lambda: anyio.run(turn))


def _resident() -> int:
    """The memory that this process uses, in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class _EndlessModel:
    """A model that calls a tool, answers, and writes a summary on request."""

    retry_limits = RetryLimits()

    def __init__(self) -> None:
        self.requests = 0
        self.compactions = 0

    @asynccontextmanager
    async def stream(self, prompt: Any) -> Any:
        yield self._events(prompt)

    async def _events(self, prompt: Any) -> Any:
        self.requests += 1
        self.compactions += not prompt.tools
        if prompt.tools and self.requests % 2:
            yield ItemDone(FunctionCall(name="nonsense", arguments="{}", call_id=f"c{self.requests}"))
        else:
            yield ItemDone(Message(role="assistant", content=[OutputText(text="done " * 40)]))
        yield Completed("r", TokenUsage(input_tokens=1, output_tokens=1, total_tokens=2))

    async def aclose(self) -> None:
        return None


def test_a_long_session_costs_the_same_from_the_first_turn_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 turns with a window of 4,000 tokens: time and memory per turn at the start and at the end."""
    from code_core.session.parts import Parts

    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    turns, block = 5_000, 500
    model = _EndlessModel()
    overrides = ConfigOverrides(
        cwd=tmp_path,
        replay_scenario=tmp_path / "unused",
        model="unknown",
        settings=(("model_context_window", 4_000),),
    )
    times: list[float] = []
    sizes: list[int] = []

    async def main() -> None:
        parts = Parts(client=model)
        async with await ConversationManager().new(overrides, parts) as conversation:
            for number in range(turns):
                if number % block == 0:
                    gc.collect()
                    sizes.append(_resident())
                    times.append(time.process_time())
                await conversation.submit(UserInput(items=[TextInput(text=f"turn {number}")]))
                async for event in conversation.events():
                    if event.msg.type in ENDS:
                        assert event.msg.type == "task_complete", event
                        break
            times.append(time.process_time())

    anyio.run(main)
    spent = [1e3 * (after - before) / block for before, after in pairwise(times)]
    print(f"\nms CPU per turn, by {block}: {', '.join(f'{one:.2f}' for one in spent)}")
    print(f"MiB resident: {', '.join(f'{size / 2**20:.1f}' for size in sizes)}")
    print(f"{model.compactions} compactions")
    assert max(spent[-3:]) < 2 * max(spent[1:4])
    assert sizes[-1] - sizes[2] < 8 * 2**20
