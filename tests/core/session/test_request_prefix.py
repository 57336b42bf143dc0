"""Each request begins with the bytes of the previous one, so that a provider's cache of the prefix holds."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_core.config.load import ConfigOverrides
from code_core.errors import StreamBroken
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.items import (
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    ResponseItem,
    ToolCall,
)
from code_core.protocol.ops import (
    ImageInput,
    InputItem,
    Interrupt,
    OverrideTurnContext,
    QueueUserInput,
    TextInput,
    UserInput,
)
from code_core.protocol.policies import AskForApproval, CollaborationMode
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.journal import MemoryJournal
from code_core.tools.plan import UpdatePlan
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire import chat, responses
from code_core.wire.prompt import Prompt
from code_core.wire.request_json import encoded
from code_core.wire.response_events import ItemDone
from core.session.scripted import Reading, ScriptedModel, ScriptedTool, Step, completed, event_order

FEWEST_REQUESTS = 50
MOST_IMAGES = 40
"""With more than 50 in a history, older ones are left out, which is a compaction."""
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PLAN = {"plan": [{"step": "look", "status": "in_progress"}]}
PROPOSAL = "<proposed_plan>\n1. Do it\n</proposed_plan>"
WORDS = st.text('aé\u2028\n"\\<🐍', min_size=1, max_size=6)
TOOLS = ("shell", "server__look", "view", "update_plan", "unknown", "bad arguments", "waits")


@dataclass(frozen=True)
class Asked:
    """One response of the model: its text, reasoning and calls, and whether its stream breaks."""

    words: str | None
    thought: str | None
    calls: tuple[str, ...]
    breaks: bool


@dataclass(frozen=True)
class Turn:
    """What the user does: send input, images or queued input, then change the mode or restart the program."""

    words: str
    image: bool
    queued: bool
    mode: CollaborationMode | None
    approval: AskForApproval | None
    responses: tuple[Asked, ...]
    proposes: bool
    interrupted: bool
    resumed: bool


ASKED = st.builds(
    Asked,
    st.none() | WORDS,
    st.none() | WORDS,
    st.lists(st.sampled_from(TOOLS[:-1]), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)
TURN = st.builds(
    Turn,
    WORDS,
    st.booleans(),
    st.booleans(),
    st.none() | st.sampled_from(CollaborationMode),
    st.none() | st.sampled_from(AskForApproval),
    st.lists(ASKED, min_size=3, max_size=4).map(tuple),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class World:
    """What survives a restart of the program: the journal, the requests, the numbers of calls and images."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.prompts: list[Prompt] = []
        self.calls = 0
        self.images = 0

    def scripts(self, turn: Turn) -> list[list[Step]]:
        scripts: list[list[Step]] = []
        for asked in turn.responses:
            scripts += self._response(asked)
        if turn.interrupted:
            scripts.append([*self._items(["waits"]), completed()])
        else:
            last = PROPOSAL if turn.proposes else "done"
            scripts.append([done(Message(role="assistant", content=[OutputText(text=last)])), completed()])
        return scripts

    def _response(self, asked: Asked) -> list[list[Step]]:
        steps: list[Step] = []
        if asked.thought is not None:
            thought = [ReasoningText(text=asked.thought)]
            steps.append(
                done(Reasoning(content=thought, encrypted_content="e", origin="o", chat_field="reasoning"))
            )
        if asked.words is not None:
            steps.append(done(Message(role="assistant", content=[OutputText(text=asked.words)])))
        if asked.breaks:
            again = [*steps, StreamBroken("cut", opened=True, delay=0)]
            return [again, [*self._items(asked.calls), completed()]]
        return [[*steps, *self._items(asked.calls), completed()]]

    def _items(self, names: Sequence[str]) -> list[Step]:
        steps: list[Step] = []
        for name in names:
            self.calls += 1
            arguments = json.dumps({"explanation": str(self.calls), **PLAN})
            call_id = f"c{self.calls}"
            if name == "bad arguments":
                bad = FunctionCall(name="update_plan", arguments=arguments[:-1], call_id=call_id)
                steps.append(done(bad))
            else:
                steps.append(done(FunctionCall(name=name, arguments=arguments, call_id=call_id)))
        return steps

    def image(self) -> bool:
        """Whether there may be another one."""
        self.images += 1
        return self.images <= MOST_IMAGES

    def tools(self) -> ToolRegistry:
        async def look(call: ToolCall, context: ToolContext) -> ToolOutput:
            del context
            return ToolOutput(f"saw {call.call_id}", images=(PIXEL,) if self.image() else ())

        async def wait(call: ToolCall, context: ToolContext) -> ToolOutput:
            del call, context
            await anyio.sleep_forever()
            raise AssertionError

        return ToolRegistry(
            [
                ScriptedTool("shell"),
                ScriptedTool("server__look", look, parallel_safe=True),
                ScriptedTool("view", look),
                ScriptedTool("waits", wait),
                UpdatePlan(),
            ]
        )

    def input(self, turn: Turn) -> list[InputItem]:
        pictures: list[InputItem] = [ImageInput(image_url=PIXEL)] if turn.image and self.image() else []
        return [TextInput(text=turn.words), *pictures]


def done(item: ResponseItem) -> ItemDone:
    return ItemDone(item, event_order())


async def live(world: World, turns: list[Turn], home: Path) -> None:
    """Carry out the turns, restarting the program where needed."""
    manager = ConversationManager(ConfigOverrides(cwd=home, replay_scenario=home / "unused"))
    left = list(turns)
    while left:
        model = ScriptedModel()
        model.prompts = world.prompts
        journal = MemoryJournal()
        journal.entries = world.journal.entries  # the same record, opened again
        parts = Parts(client=model, journal=journal)
        state = SessionState.from_entries(journal.entries)
        conversation = await (manager.resume(state, parts=parts) if state.items else manager.new(parts=parts))
        services = conversation.session.services
        conversation.session.services = replace(services, tools=world.tools())
        async with conversation:
            reading = Reading(conversation)
            while left:
                turn = left.pop(0)
                await one_turn(world, turn, reading, model)
                if turn.resumed:
                    break


async def one_turn(world: World, turn: Turn, reading: Reading, model: ScriptedModel) -> None:
    model.scripts += world.scripts(turn)
    await reading.send(OverrideTurnContext(collaboration_mode=turn.mode, approval_policy=turn.approval))
    if turn.queued:
        gate = anyio.Event()
        model.scripts[0] = [gate, *model.scripts[0]]
        await reading.send(UserInput(items=world.input(turn)))
        await reading.until("user_message")
        await reading.send(QueueUserInput(items=[TextInput(text=f"and {turn.words}")]))
        while not (await reading.until("queue_changed")).entries:
            pass
        gate.set()
    else:
        await reading.send(UserInput(items=world.input(turn)))
    if turn.interrupted:
        waits = f"c{world.calls}"
        while waits not in reading.conversation.session.history.call_ids:
            await anyio.lowlevel.checkpoint()
        await reading.send(Interrupt())
    end = await reading.ended()
    assert end.type == ("turn_aborted" if turn.interrupted else "task_complete"), end
    assert model.scripts == []
    plan = reading.conversation.session.open_plan()
    if plan is not None and turn.resumed:
        model.scripts += world.scripts(replace(turn, responses=turn.responses[:1], interrupted=False))
        await reading.send(ResolvePlan(id=plan.id, action="accept"))
        assert (await reading.ended()).type == "task_complete"


def assert_prefixes(bodies: list[list[Any]]) -> None:
    for number, (earlier, later) in enumerate(pairwise(bodies), 1):
        begin = encoded({"input": earlier}).removesuffix(b"]}")
        kept = encoded({"input": later}).startswith(begin)
        assert kept, f"request {number + 1}"


@pytest.mark.timeout(300)  # up to a thousand steps of the engine
@given(turns=st.lists(TURN, min_size=13, max_size=15))
@settings(
    deadline=None, max_examples=3, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_for_any_history_each_request_begins_with_the_bytes_of_the_previous_one(turns: list[Turn]) -> None:
    world = World()

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder, anyio.fail_after(60):
            await live(world, turns, Path(folder))

    anyio.run(main)
    prompts = world.prompts
    assert len(prompts) >= FEWEST_REQUESTS
    assert {prompt.instructions for prompt in prompts} == {prompts[0].instructions}
    assert all(prompt.tools == prompts[0].tools for prompt in prompts)
    assert_prefixes([responses.request_body(prompt)["input"] for prompt in prompts])
    assert_prefixes([chat.request_body(prompt, "o")["messages"] for prompt in prompts])
