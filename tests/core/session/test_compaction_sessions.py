"""Many sessions that are compacted repeatedly, some without a summary from the model.

CODE_ALL_SESSIONS=1 runs all 200, which takes a minute of CPU.
"""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import ContextWindowExceeded, RequestRefused
from code_core.model.retry import RetryLimits
from code_core.protocol.events import ErrorEvent
from code_core.protocol.items import FunctionCall, Message, OutputText, Refusal
from code_core.protocol.ops import Compact
from code_core.protocol.token_events import TokenUsage
from code_core.session.compaction import summary as summary_module
from code_core.session.compaction.budget import budget_for
from code_core.session.compaction.summary import INSTRUCTIONS
from code_core.session.history.sizes import estimated_tokens
from code_core.session.parts import Parts
from code_core.store.entries import Compacted
from code_core.store.journal import MemoryJournal
from code_core.tools.plan import UpdatePlan
from code_core.tools.registry import ToolRegistry
from code_core.tools.terminals import Terminals
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.prompt import Prompt
from code_core.wire.response_events import Completed, ItemDone, ResponseEvent
from code_core.wire.responses import request_body
from code_core.wire.tool_specs import FunctionSpec
from core.session.scripted import Reading, converse, event_order, scripted_conversation, text
from core.tools.test_terminals import Running
from support import violations

SESSIONS = 200 if os.environ.get("CODE_ALL_SESSIONS") else 40
COMPACTIONS = 20
MOST_FILES = 20
"""How many changed files fit into a small window together with the running commands."""
FAILURES = ("empty", "refused", "refusal", "overflow", "hang", "call", "endless")
HANG = 0.02


@dataclass
class Worker:
    """A model with a small window whose tools have long outputs."""

    window: int
    chance: random.Random
    retry_limits: RetryLimits = field(default_factory=lambda: RetryLimits(request=0, stream=0))
    prompts: list[Prompt] = field(default_factory=list)
    plan: str = ""
    files: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    open_calls: list[str] = field(default_factory=list)
    rounds: int = 0
    calls: int = 0

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        assert violations(request_body(prompt)) == []
        size = size_of(prompt)
        assert size < self.window, f"a request of {size} tokens for a window of {self.window}"
        if prompt.instructions == INSTRUCTIONS:
            yield self._summary()
        else:
            self.prompts.append(prompt)
            self.check(texts_of(prompt))
            yield self._work(size)

    def check(self, said: str) -> None:
        """Whether a request has all that the model needs to go on, however often it was compacted before."""
        assert self.words[0] in said
        assert self.words[-1] in said
        assert self.plan in said
        recent = [*dict.fromkeys(reversed(self.files))][:MOST_FILES]
        assert [file for file in recent if file not in said] == []
        assert [command for command in self.running if command not in said] == []
        for call_id in self.open_calls:  # each with its output
            assert said.count(f"'call_id': '{call_id}'") == 2
        room = budget_for(self.window, self.window).words // 2
        for one in reversed(self.words):
            room -= len(one) // 4 + 8
            if room < 0:
                break
            assert one in said

    async def _summary(self) -> AsyncIterator[ResponseEvent]:
        match self.chance.choice((*FAILURES, "good", "good", "good", "good")):
            case "refused":
                raise RequestRefused("no")
            case "overflow":
                raise ContextWindowExceeded("too long")
            case "hang":
                await anyio.sleep_forever()
            case "refusal":
                yield ItemDone(
                    Message(role="assistant", content=[Refusal(refusal="I will not")]), event_order()
                )
            case "call":
                yield ItemDone(FunctionCall(name="work", arguments="{}", call_id="s"), event_order())
            case "empty":
                yield ItemDone(Message(role="assistant", content=[OutputText(text=" \n")]), event_order())
            case "endless":
                endless = OutputText(text="again " * 200_000)
                yield ItemDone(Message(role="assistant", content=[endless]), event_order())
            case _:
                yield ItemDone(
                    Message(role="assistant", content=[OutputText(text="so far, so good")]), event_order()
                )
        yield used(10)

    async def _work(self, size: int) -> AsyncIterator[ResponseEvent]:
        self.rounds -= 1
        self.open_calls = []
        if self.rounds < 0:
            yield ItemDone(Message(role="assistant", content=[OutputText(text="done " * 20)]), event_order())
        else:
            for index in range(self.chance.randint(1, 3)):
                self.calls += 1
                self.open_calls.append(f"c{self.calls}")
                name = self.chance.choice(("work", "work", "update_plan", "apply_patch"))
                arguments = "{}"
                if name == "update_plan":
                    self.plan = f"plan-{self.calls}-"
                    arguments = f'{{"plan": [{{"step": "{self.plan}", "status": "pending"}}]}}'
                yield ItemDone(
                    FunctionCall(name=name, arguments=arguments, call_id=f"c{self.calls}"), event_order(index)
                )
        yield used(size)

    async def aclose(self) -> None:
        pass


@dataclass
class Work:
    """A tool with a long output, or one that reports a patched file."""

    name: str
    worker: Worker
    parallel_safe: bool = False

    def spec(self) -> FunctionSpec:
        return FunctionSpec(self.name, "Works.", {"type": "object"})

    async def call(self, call: object, context: ToolContext) -> ToolOutput:
        del call, context
        worker = self.worker
        if self.name == "work":
            return ToolOutput("output " * worker.chance.randint(1, worker.window // 12))
        worker.files.append(f"file-{len(worker.files) % 40}.py")
        return ToolOutput(f"Success. Updated the following files:\nM {worker.files[-1]}")


def used(tokens: int) -> Completed:
    return Completed("r", TokenUsage(input_tokens=tokens, output_tokens=0, total_tokens=tokens))


def size_of(prompt: Prompt) -> int:
    return estimated_tokens(prompt.input) + len(prompt.instructions) // 4


def texts_of(prompt: Prompt) -> str:
    return repr(request_body(prompt)["input"])


async def change_what_runs(terminals: Terminals, worker: Worker, seed: int) -> None:
    """Start a command, or end the oldest one."""
    if len(worker.running) < 3:
        command = f"serve-{seed}-{worker.calls}-{len(worker.running)}"
        session: Any = Running(terminals.new_id(), command)
        await terminals.start(session)
        worker.running.append(command)
    else:
        terminals.stop(terminals.listing().terminals[0].session_id)
        del worker.running[0]


@pytest.mark.parametrize("seed", range(SESSIONS))
def test_every_request_after_a_compaction_contains_what_matters(
    config: Config, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(summary_module, "SECONDS", HANG)
    chance = random.Random(seed)  # noqa: S311 - not a secret
    window = chance.choice((6_000, 12_000, 40_000))
    config = replace(config, preferences=replace(config.preferences, context_window=window))
    worker = Worker(window, chance)
    journal = MemoryJournal()
    words = worker.words

    async def script(reading: Reading) -> None:
        session = reading.conversation.session
        goal = f"goal-{seed} " + "aim " * 10
        while len(reading.of("context_compacted")) < COMPACTIONS:
            words.append(
                goal if not words else f"word-{len(words)}- " + "please " * chance.randint(1, window // 200)
            )
            worker.rounds = chance.randint(0, 6)
            seen, asked = len(reading.of("context_compacted")), len(worker.prompts)
            await reading.send(text(words[-1]))
            assert (await reading.ended()).type == "task_complete"
            compacted = len(reading.of("context_compacted")) - seen
            assert compacted <= len(worker.prompts) - asked  # at most one for each request
            if chance.random() < 0.2:
                await change_what_runs(session.services.terminals, worker, seed)
            if chance.random() < 0.3:
                before = list(session.history.items)
                await reading.send(Compact())
                if isinstance(await reading.ended(), ErrorEvent):
                    assert list(session.history.items) == before
        assert sum(isinstance(entry, Compacted) for entry in journal.entries) == len(
            reading.of("context_compacted")
        )

    conversation = scripted_conversation(config, worker, parts=Parts(journal=journal))
    tools = ToolRegistry([Work("work", worker), Work("apply_patch", worker), UpdatePlan()])
    conversation.session.services = replace(conversation.session.services, tools=tools)
    converse(conversation, script)
