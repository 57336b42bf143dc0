"""What late readers see, and what remains when a conversation has ended."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import ConversationError
from code_core.protocol.events import TaskStarted
from code_core.protocol.items import ToolCall
from code_core.protocol.mcp_events import ElicitationRequest, ElicitationWithdrawn
from code_core.protocol.ops import (
    ExecApproval,
    Interrupt,
    ListTerminals,
    Shutdown,
)
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant
from code_core.session.conversation import Conversation
from code_core.tools.approver import CommandQuestion
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    converse,
    scripted_config,
    scripted_conversation,
    text,
)


def empty(config: Config, **more: Any) -> Conversation:
    return scripted_conversation(config, ScriptedModel(), **more)


def test_a_late_reader_begins_with_the_number_of_the_newest_event(tmp_path: Path) -> None:
    config = replace(scripted_config(tmp_path), warnings=("a key is misspelt",))

    async def script(reading: Reading) -> None:
        await reading.until("session_configured")
        conversation = reading.conversation
        assert conversation.id == reading.of("session_configured")[0].session_id
        await reading.until("warning")
        assert conversation.waiting == 0
        snapshot: Any = await anext(conversation.follow())
        assert (snapshot.id, snapshot.event_seq) == ("0", 1)
        assert snapshot.msg.turn_id is None
        await reading.send(ListTerminals())
        await anyio.wait_all_tasks_blocked()
        assert conversation.waiting == 1

    converse(empty(config), script)


def test_a_late_reader_sees_what_is_running(config: Config) -> None:
    gate = anyio.Event()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("user_message")
        late = reading.conversation.follow()
        snapshot: Any = (await anext(late)).msg
        started = await anext(late)
        assert started.msg == reading.of("task_started")[0]
        assert snapshot.turn_id == reading.of("task_started")[0].turn_id
        gate.set()
        await reading.ended()

    converse(scripted_conversation(config, ScriptedModel([gate, *answer("ok")])), script)


def test_a_late_reader_does_not_see_a_question_that_was_answered(config: Config) -> None:
    gate = anyio.Event()

    async def ask(call: ToolCall, context: ToolContext) -> ToolOutput:
        grant = CommandGrant(argv=("x",), cwd=context.cwd)
        await context.approver.ask(CommandQuestion(call.call_id, ["x"], context.cwd, "why not", grant))
        await gate.wait()
        return ToolOutput("done")

    async def kinds(reading: Reading) -> list[str]:
        late = reading.conversation.follow()
        return [(await anext(late)).msg.type for _ in range(late.waiting)]

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("exec_approval_request")
        assert "exec_approval_request" in await kinds(reading)
        await reading.send(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await anyio.wait_all_tasks_blocked()
        assert "exec_approval_request" not in await kinds(reading)
        gate.set()
        await reading.ended()

    model = ScriptedModel(calls("ask"), answer("ok"))
    converse(scripted_conversation(config, model, ScriptedTool("ask", ask)), script)


def test_a_shutdown_interrupts_what_runs(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("user_message")
        await reading.send(Shutdown())
        assert (await reading.ended()).reason == "interrupted"
        await reading.until("shutdown_complete")

    converse(scripted_conversation(config, ScriptedModel([anyio.Event()])), script)


def test_after_a_shutdown_operations_are_rejected(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Shutdown())
        await reading.until("shutdown_complete")
        assert reading.seen[-1].id == "1"
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(
            ConversationError, match=f"{reading.conversation.session.id} has ended: start a new one"
        ):
            await reading.send(ListTerminals())
        assert [event async for event in reading.conversation.events()] == []

    converse(empty(config), script)


def test_after_leaving_operations_are_rejected_and_events_end(config: Config) -> None:
    conversation = empty(config)

    async def main() -> None:
        with anyio.fail_after(5):
            async with conversation:
                pass
            with pytest.raises(ConversationError, match="has ended"):
                await conversation.submit(Interrupt())
            assert [
                event async for event in conversation.events() if isinstance(event.msg, TaskStarted)
            ] == []

    anyio.run(main)


def test_an_exception_of_the_caller_propagates_and_everything_is_closed(config: Config) -> None:
    model = ScriptedModel()

    async def script(_reading: Reading) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        converse(scripted_conversation(config, model), script)
    (error,) = caught.value.exceptions
    assert isinstance(error, ZeroDivisionError)
    assert model.closed


def test_a_conversation_that_was_never_entered_is_discarded(config: Config) -> None:
    model = ScriptedModel()
    conversation = scripted_conversation(config, model)

    async def main() -> None:
        with anyio.fail_after(5):
            await conversation.discard()
            with pytest.raises(ConversationError, match="has ended"):
                await conversation.submit(Interrupt())
            assert [event async for event in conversation.events()] == []

    anyio.run(main)
    assert model.closed


def test_an_op_that_a_task_submits_while_the_conversation_ends_is_refused(config: Config) -> None:
    begun = anyio.Event()
    refusals: list[str] = []

    async def work(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            with pytest.raises(ConversationError) as refused:
                await conversation.submit(text("more"))
            refusals.append(str(refused.value))
        raise AssertionError

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await begun.wait()

    conversation = scripted_conversation(config, ScriptedModel(calls("work")), ScriptedTool("work", work))
    converse(conversation, script)
    assert ["has ended" in refusal for refusal in refusals] == [True]


def test_a_frontend_waits_until_a_question_is_closed(config: Config) -> None:
    async def script(reading: Reading) -> None:
        log = reading.conversation._log  # nothing else asks without a turn
        log.publish("1", ElicitationRequest(id="q", server="s", message="?", requested_schema={}))
        closed = anyio.Event()

        async def wait() -> None:
            await reading.conversation.until_closed("q")
            closed.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert not closed.is_set()
            log.publish("1", ElicitationWithdrawn(id="q", server="s"))
        assert closed.is_set()

    converse(scripted_conversation(config, ScriptedModel()), script)
