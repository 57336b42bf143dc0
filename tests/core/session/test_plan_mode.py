"""Plan mode: nothing changes until the user accepts the plan; its start and end are announced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config, ConfigOverrides
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.items import Message
from code_core.protocol.ops import Compact, Interrupt, OverrideTurnContext, StopTerminals, UserInput
from code_core.protocol.policies import AskForApproval, CollaborationMode, SandboxMode
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts, make_session
from code_core.session.plan_mode import DEFAULT_MODE_NOTE, PLAN_MODE_NOTE
from code_core.session.stored.restore import SessionState
from code_core.store.journal import FaultyJournal, MemoryJournal
from core.session import scripted
from core.session.conversing import BYE, Frontend, call, made, user
from core.session.scripted import Reading, ScriptedModel, answer, scripted_conversation, text
from support import responses_events as sse
from support.scenario import Response, write_scenario

PLAN = OverrideTurnContext(collaboration_mode=CollaborationMode.PLAN)
WORK = OverrideTurnContext(collaboration_mode=CollaborationMode.DEFAULT)
PROPOSAL = "Looked around.\n\n<proposed_plan>\n# Plan\n\n1. Make it\n</proposed_plan>"
ADD = "*** Begin Patch\n*** Add File: made\n+x\n*** End Patch"


def proposing() -> Response:
    return [sse.message(PROPOSAL), sse.completed()]


def outputs(frontend: Frontend) -> list[str]:
    items = [one.item for one in frontend.conversation.session.history.items]
    return [str(item.output) for item in items if item.type.endswith("_output")]  # type: ignore[union-attr] # has one


def notes(conversation: Any) -> list[str]:
    items = [one.item for one in conversation.session.history.items]
    texts = [item.text for item in items if isinstance(item, Message)]
    return [one for one in texts if one.startswith("<collaboration_mode>")]


async def planned(frontend: Frontend, words: str = "plan it") -> None:
    await frontend.send(PLAN)
    assert (await frontend.until("settings_changed")).collaboration_mode == "plan"
    await frontend.send(user(words))


TRIES: dict[str, tuple[Response, str]] = {
    "a command": (call("touch", "made"), "plan mode is on"),
    "a script": (call("bash", "-lc", "echo x > made; touch made; true"), "Read-only file system"),
    "outside the sandbox": (
        call("touch", "made", with_escalated_permissions=True, justification="please"),
        "command rejected: plan mode is on",
    ),
    "a patch": ([sse.custom_tool_call("apply_patch", ADD, "c1"), sse.completed()], "patch rejected: plan"),
    "a patch in a command": (call("apply_patch", ADD), "patch rejected: plan mode is on"),
    "a running command": (
        [sse.function_call("exec_command", {"cmd": "touch made"}, "c1"), sse.completed()],
        "plan mode is on",
    ),
    "a plan as progress": (
        [sse.function_call("update_plan", {"plan": [{"step": "a", "status": "pending"}]}, "c1"), sse.completed()],
        "update_plan is refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attempt", TRIES)
@pytest.mark.parametrize("sandbox", [SandboxMode.WORKSPACE_WRITE, SandboxMode.DANGER_FULL_ACCESS])
@pytest.mark.parametrize("approval", [AskForApproval.ON_REQUEST, AskForApproval.NEVER])
def test_nothing_changes_and_no_escalation_is_offered(
    converse: Callable[..., None], attempt: str, sandbox: SandboxMode, approval: AskForApproval
) -> None:
    response, shown = TRIES[attempt]

    async def script(frontend: Frontend) -> None:
        await planned(frontend)
        await frontend.until("task_complete")
        assert not made(frontend)
        [output] = outputs(frontend)
        assert shown in output
        assert not {"exec_approval_request", "apply_patch_approval_request", "plan_update"} & {
            *frontend.kinds
        }

    converse(script, response, BYE, sandbox=sandbox, approval_policy=approval)


def test_read_only_commands_run(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        (frontend.conversation.config.cwd / "a.txt").write_text("what it says")
        await planned(frontend)
        await frontend.until("task_complete")
        assert "what it says" in outputs(frontend)[0]

    converse(script, call("cat", "a.txt"), BYE)


def test_earlier_approvals_do_not_count_in_plan_mode(converse: Callable[..., None]) -> None:
    from code_core.protocol.ops import ExecApproval
    from code_core.protocol.policies import ReviewDecision

    touch = call("touch", "made", with_escalated_permissions=True, justification="j")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        asked = await frontend.until("exec_approval_request")
        decision = ReviewDecision.APPROVED_FOR_SESSION
        await frontend.send(ExecApproval(id=asked.approval_id, decision=decision))
        await frontend.until("task_complete")
        assert made(frontend)
        (frontend.conversation.config.cwd / "made").unlink()
        await planned(frontend)
        await frontend.until("task_complete")
        assert not made(frontend)

    again = call("touch", "made", call_id="c2")
    converse(script, touch, BYE, again, BYE, sandbox=SandboxMode.READ_ONLY)


def test_nothing_is_typed_into_a_program_that_may_write(
    converse: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    start = sse.function_call("exec_command", {"cmd": "cat > made", "tty": True, "yield_time_ms": 250}, "c1")
    typed = sse.function_call("write_stdin", {"session_id": 1, "chars": "x\n"}, "c2")
    stop = sse.function_call("write_stdin", {"session_id": 1, "chars": "\x03"}, "c3")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        await planned(frontend)
        await frontend.until("task_complete")
        assert "input rejected" in outputs(frontend)[1]
        assert "plan mode is on" in outputs(frontend)[1]
        assert "rejected" not in outputs(frontend)[2]  # ^C only ends it
        assert (frontend.conversation.config.cwd / "made").read_text() == ""
        await frontend.send(StopTerminals())

    converse(script, [start, sse.completed()], BYE, [typed, sse.completed()], [stop, sse.completed()], BYE)


def test_accepting_the_plan_ends_the_mode_and_starts_the_work(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await planned(frontend)
        plan = await frontend.until("plan_proposed")
        assert plan.plan == "# Plan\n\n1. Make it"
        await frontend.until("task_complete")
        await frontend.send(ResolvePlan(id=plan.id, action="accept", feedback="quickly"))
        assert (await frontend.until("settings_changed")).collaboration_mode == "default"
        assert "quickly" in (await frontend.until("user_message")).items[0].text
        await frontend.until("task_complete")
        assert made(frontend)
        assert notes(frontend.conversation) == [PLAN_MODE_NOTE, DEFAULT_MODE_NOTE]
        await frontend.send(ResolvePlan(id=plan.id, action="accept"))
        refused = await frontend.until("error")
        assert (refused.code, refused.message.startswith("the answer had no effect")) == ("no_plan", True)

    converse(script, proposing(), call("touch", "made"), BYE)


def test_a_plan_is_revised_and_rejected(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await planned(frontend)
        first = await frontend.until("plan_proposed")
        await frontend.until("task_complete")
        await frontend.send(ResolvePlan(id=first.id, action="revise", feedback="smaller steps"))
        second = await frontend.until("plan_proposed")
        assert second.id != first.id
        await frontend.until("task_complete")
        await frontend.send(ResolvePlan(id=first.id, action="accept"))  # the older one
        assert "had no effect" in (await frontend.until("error")).message
        await frontend.send(ResolvePlan(id=second.id, action="reject", feedback="not worth it"))
        await frontend.send(ResolvePlan(id=second.id, action="accept"))
        assert "had no effect" in (await frontend.until("error")).message
        await frontend.send(user("something else"))
        await frontend.until("task_complete")
        session = frontend.conversation.session
        assert session.settings.is_planning
        assert frontend.kinds.count("task_started") == 3  # a rejection starts no turn
        texts = [one.item.text for one in session.history.items if isinstance(one.item, Message)]
        assert "<plan_rejected>The user rejected the plan above: not worth it</plan_rejected>" in texts

    converse(script, proposing(), proposing(), BYE)


def test_a_rejection_that_cannot_be_recorded_is_a_warning(config: Config) -> None:
    journal = FaultyJournal(lambda entry: "<plan_rejected>" in repr(entry))

    async def script(reading: Reading) -> None:
        await reading.send(PLAN)
        await reading.send(text("plan"))
        plan = await reading.until("plan_proposed")
        await reading.ended()
        rejection = await reading.send(ResolvePlan(id=plan.id, action="reject"))
        assert "No space left" in (await reading.until("warning")).message
        assert reading.seen[-1].id == rejection

    model = ScriptedModel(answer(PROPOSAL))
    scripted.converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_a_plan_is_not_open_while_a_turn_runs_or_after_the_mode_has_ended(config: Config) -> None:
    gate = anyio.Event()
    model = ScriptedModel(answer(PROPOSAL), [gate], answer("done"))

    async def script(reading: Reading) -> None:
        await reading.send(PLAN)
        await reading.send(text("plan"))
        plan = await reading.until("plan_proposed")
        await reading.ended()
        late = reading.conversation.follow()
        seen: list[Any] = [await anext(late), await anext(late)]
        assert [one.msg.type for one in seen] == ["session_snapshot", "plan_proposed"]
        await reading.send(text("more"))
        await reading.until("user_message")
        await reading.send(ResolvePlan(id=plan.id, action="accept"))
        await reading.until("error")
        await reading.send(Interrupt())
        await reading.ended()
        await reading.send(WORK)
        await reading.send(ResolvePlan(id=plan.id, action="accept"))
        await reading.until("error")

    scripted.converse(scripted_conversation(config, model), script)


def test_a_proposal_outside_of_plan_mode_is_only_text(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("hello"))
        await reading.ended()
        assert "plan_proposed" not in reading.kinds

    scripted.converse(scripted_conversation(config, ScriptedModel(answer(PROPOSAL))), script)


def test_the_mode_is_announced_after_what_the_model_has_seen(config: Config) -> None:
    """Instructions and tools stay as they are, so that the provider's cache of the prefix holds."""
    model = ScriptedModel(*(answer("ok") for _ in range(4)))

    async def script(reading: Reading) -> None:
        for op in (WORK, PLAN, PLAN, WORK):
            await reading.send(op)
            await reading.send(text("go"))
            await reading.ended()

    scripted.converse(scripted_conversation(config, model), script)
    for earlier, later in zip(model.prompts, model.prompts[1:], strict=False):
        assert (earlier.instructions, earlier.tools) == (later.instructions, later.tools)
        assert later.input[: len(earlier.input)] == earlier.input
    sent = [model.request_text(number) for number in range(4)]
    assert [one.count("Plan mode is on") for one in sent] == [0, 1, 1, 1]
    assert [one.count("Plan mode is off") for one in sent] == [0, 0, 0, 1]


@pytest.mark.parametrize(("last", "note"), [(PLAN, PLAN_MODE_NOTE), (WORK, DEFAULT_MODE_NOTE)])
def test_a_compaction_cannot_leave_the_model_in_another_mode(
    config: Config, last: OverrideTurnContext, note: str
) -> None:
    model = ScriptedModel(answer("ok"), answer("ok"), answer("We are planning."), answer("ok"))

    async def script(reading: Reading) -> None:
        for op in (PLAN, last):
            await reading.send(op)
            await reading.send(text("go"))
            await reading.ended()
        await reading.send(Compact())
        await reading.ended()
        assert notes(reading.conversation) == [note]
        await reading.send(text("go on"))
        await reading.ended()
        assert notes(reading.conversation) == [note]

    scripted.converse(scripted_conversation(config, model), script)


def test_a_compaction_of_a_session_that_never_planned_adds_no_mode_note(config: Config) -> None:
    model = ScriptedModel(answer("ok"), answer("summary"))

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        await reading.send(Compact())
        await reading.ended()
        assert notes(reading.conversation) == []

    scripted.converse(scripted_conversation(config, model), script)


def test_the_mode_of_a_session_without_a_history_is_not_recorded(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(PLAN)
        await reading.until("settings_changed")
        await anyio.wait_all_tasks_blocked()
        assert journal.entries == []

    scripted.converse(scripted_conversation(config, ScriptedModel(), parts=Parts(journal=journal)), script)


def test_the_journal_restores_the_mode_and_the_open_plan(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("hello"))
        await reading.ended()
        await reading.send(PLAN)
        await reading.send(text("plan it"))
        await reading.ended()

    model = ScriptedModel(answer("hi"), answer(PROPOSAL))
    scripted.converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)
    state = SessionState.from_entries(journal.entries)

    async def resumed(reading: Reading) -> None:
        configured = await reading.until("session_configured")
        assert configured.collaboration_mode == "plan"
        plan = await reading.until("plan_proposed")
        assert reading.seen[-1].id == "0"  # it belongs to no op
        await reading.send(ResolvePlan(id=plan.id, action="accept"))
        await reading.ended()
        assert notes(reading.conversation) == [PLAN_MODE_NOTE, DEFAULT_MODE_NOTE]

    again = scripted_conversation(config, ScriptedModel(answer("done")), state=state)
    scripted.converse(again, resumed)


def test_a_resume_knows_that_plan_mode_ended_even_without_another_turn(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(PLAN)
        await reading.send(text("plan it"))
        await reading.ended()
        await reading.send(WORK)
        await reading.until("settings_changed")

    model = ScriptedModel(answer(PROPOSAL))
    scripted.converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)
    state = SessionState.from_entries(journal.entries)
    assert state.settings.collaboration_mode is None
    assert not make_session(config, ScriptedModel(), state=state).settings.is_planning


def test_a_stored_session_continues_in_plan_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    overrides = ConfigOverrides(
        cwd=tmp_path,
        replay_scenario=write_scenario(tmp_path, [proposing()]),
        settings=(("collaboration_mode", "plan"),),
    )

    async def main() -> None:
        manager = ConversationManager()
        with anyio.fail_after(20):
            async with await manager.new(overrides) as conversation:
                frontend = Frontend(conversation)
                await frontend.send(user("plan it"))
                await frontend.until("task_complete")
                await frontend.finish()
            later = ConfigOverrides(replay_scenario=overrides.replay_scenario)
            async with await manager.resume(conversation.id, later) as conversation:
                frontend = Frontend(conversation)
                assert "still in plan mode" in (await frontend.until("warning")).message
                await frontend.until("plan_proposed")
                await frontend.finish()
            out = ConfigOverrides(
                replay_scenario=overrides.replay_scenario, settings=(("collaboration_mode", "default"),)
            )
            async with await manager.resume(conversation.id, out) as conversation:
                assert not conversation.session.settings.is_planning

    anyio.run(main)


def test_a_revision_without_feedback_asks_for_another_plan(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await planned(frontend)
        plan = await frontend.until("plan_proposed")
        await frontend.until("task_complete")
        await frontend.send(ResolvePlan(id=plan.id, action="revise"))
        message: UserInput = await frontend.until("user_message")
        assert message.items[0].model_dump()["text"] == "Revise the plan."
        await frontend.until("task_complete")

    converse(script, proposing(), BYE)
