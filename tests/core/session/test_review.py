"""A review: what the model is asked, what it may do, and what remains afterwards."""

from pathlib import Path

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import ContextWindowExceeded
from code_core.protocol.items import ToolCall
from code_core.protocol.ops import (
    BaseBranch,
    CommitChanges,
    CustomReview,
    Interrupt,
    Review,
    ReviewTarget,
    UncommittedChanges,
)
from code_core.protocol.policies import AskForApproval, ReadOnly
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    completed,
    converse,
    queued,
    scripted_config,
    scripted_conversation,
    text,
)


@pytest.mark.parametrize(
    ("target", "description", "request_part"),
    [
        (UncommittedChanges(), "uncommitted changes", "git diff HEAD"),
        (BaseBranch(branch="main"), "changes against main", "git merge-base HEAD 'main'"),
        (CommitChanges(sha="abc"), "commit abc", "git show 'abc'"),
        (CustomReview(instructions="Look at a.py\nand b.py"), "Look at a.py", "Look at a.py\\nand b.py"),
        (CustomReview(instructions="x" * 200), "x" * 100, "x" * 200),
        (CustomReview(instructions="\n Look"), "Look", "\\n Look"),
        (CustomReview(instructions=" \n"), "changes", " \\n"),
    ],
)
def test_the_model_is_asked_about_the_target(
    config: Config, target: ReviewTarget, description: str, request_part: str
) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("secret of the conversation"))
        await reading.ended()
        await reading.send(Review(target=target))
        entered = await reading.until("entered_review_mode")
        assert (entered.target, entered.description) == (target, description)
        assert (await reading.ended()).type == "task_complete"
        assert request_part in model.request_text()
        assert "secret" not in model.request_text()
        review = model.prompts[-1]
        assert "You review changes" in review.instructions
        assert "You review changes" not in model.prompts[0].instructions
        assert "Begin Patch" not in review.instructions
        assert review.output_schema is None
        [note] = [one.item for one in reading.conversation.session.history.items[-1:]]
        words = f"<code_review>\n<of>{description}</of>\nfine\n</code_review>"
        assert note.model_dump()["content"][0]["text"] == words

    model = ScriptedModel(answer("hello"), answer("fine"))
    converse(scripted_conversation(config, model), script)


def test_a_review_may_change_nothing_and_asks_nobody(config: Config) -> None:
    seen: list[tuple[object, ...]] = []

    async def look(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call
        seen.append((context.sandbox_policy, context.approval_policy))
        return ToolOutput("looked")

    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        assert (await reading.ended()).last_agent_message == "fine"
        (exited,) = reading.of("exited_review_mode")
        assert exited.review == "fine"
        assert not {"agent_message", "agent_message_delta"} & set(reading.kinds)
        assert reading.of("token_count")[-1].info.total_token_usage.total_tokens == 30

    model = ScriptedModel(calls("shell"), answer("fine"))
    other = ScriptedTool("apply_patch", look)
    converse(scripted_conversation(config, model, ScriptedTool("shell", look), other), script)
    assert seen == [(ReadOnly(), AskForApproval.NEVER)]
    assert [[tool.name for tool in prompt.tools] for prompt in model.prompts] == [["shell"]] * 2


def test_a_review_ignores_queued_input(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        await reading.until("token_count")
        await reading.send(queued("for later"))
        await reading.until("queue_changed")
        go.set()
        assert (await reading.ended()).last_agent_message == "fine"
        assert "for later" not in model.request_text()
        await reading.ended()
        assert "for later" in model.request_text()

    async def wait(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        await go.wait()
        return ToolOutput("done")

    go = anyio.Event()
    model = ScriptedModel(calls("shell"), answer("fine"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("shell", wait)), script)


def test_changes_that_are_too_long_for_the_model_end_the_review(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        end = await reading.ended()
        assert (end.type, end.code) == ("error", "context_window")

    model = ScriptedModel([ContextWindowExceeded("too long")], answer("not asked again"))
    converse(scripted_conversation(config, model), script)


def test_a_review_without_a_result_is_an_error(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        end = await reading.ended()
        assert (end.type, end.message) == ("error", "the review produced no result: try again")
        assert reading.conversation.session.history.items == []

    converse(scripted_conversation(config, ScriptedModel([completed()])), script)


def test_a_review_needs_prices_if_its_cost_is_limited(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, model="m", settings=(("limits.max_cost_usd", 1.0),))
    model = ScriptedModel(answer("fine"))

    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        assert "max_cost_usd is set, but the price of m is unknown" in (await reading.ended()).message
        assert model.prompts == []

    converse(scripted_conversation(config, model), script)


def test_a_review_ends_at_the_limits_or_on_abort(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("limits.max_wall_seconds", 0.3),))

    async def wait(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        await anyio.sleep_forever()
        raise AssertionError

    async def script(reading: Reading) -> None:
        await reading.send(Review(target=UncommittedChanges()))
        assert "0.3 seconds" in (await reading.ended()).message
        await reading.send(Review(target=UncommittedChanges()))
        await reading.until("token_count")
        await reading.send(Interrupt())
        assert (await reading.ended()).type == "turn_aborted"
        assert [one.review for one in reading.of("exited_review_mode")] == [None, None]
        assert reading.conversation.session.history.items == []

    model = ScriptedModel(calls("shell"), calls("shell", first=2))
    converse(scripted_conversation(config, model, ScriptedTool("shell", wait)), script)
