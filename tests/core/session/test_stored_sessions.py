"""Stored sessions: resumed, forked, cut off at every write."""

import anyio
import pytest

from code_core.errors import ConfigError
from code_core.protocol.ops import (
    Compact,
    Interrupt,
    OverrideTurnContext,
    RemoveQueuedInput,
    SetSessionName,
)
from code_core.protocol.policies import AskForApproval, ReadOnly, SandboxMode
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.opening import Last
from code_core.store.errors import SessionInUse, SessionNotFound, StoreError
from core.session.desk import Desk, Script, input_of, step, turns
from core.session.scripted import Reading, ScriptedModel, answer, queued, text


def test_a_session_is_resumed_by_id_name_path_and_as_the_last_one(desk: Desk) -> None:
    async def first(reading: Reading) -> None:
        await reading.send(SetSessionName(name="the first"))
        await turns("one")(reading)

    model = ScriptedModel(answer("ok"))
    session = desk.new(model, first)
    before = input_of(model)
    for reference in (session, session[:8], "The First", desk.rollouts()[0], Last(desk.work), Last()):
        resumed = ScriptedModel(answer("ok"))

        async def check(reading: Reading) -> None:
            configured = await reading.until("session_configured")
            assert (configured.session_id, configured.name, configured.preview) == (
                session,
                "the first",
                "one",
            )
            await turns("more")(reading)

        assert desk.resume(reference, resumed, check) == session
        after = input_of(resumed)
        assert after[: len(before)] == before
        assert after[-1]["content"][0]["text"] == "more"
        before = after
        assert resumed.prompts[0].conversation_id == model.prompts[0].conversation_id
    assert len(desk.rollouts()) == 1
    with pytest.raises(SessionNotFound):
        desk.resume("abcdabcd", ScriptedModel(), turns())
    with pytest.raises(SessionNotFound, match="--all"):
        desk.resume(Last(desk.home), ScriptedModel(), turns())


def test_settings_queue_and_totals_are_restored(desk: Desk) -> None:
    other = desk.work / "other"
    other.mkdir()
    gate = anyio.Event()

    async def first(reading: Reading) -> None:
        await reading.send(OverrideTurnContext(cwd=other, model="gpt-4.1"))
        await reading.send(text("one"))
        await reading.until("agent_message_delta")
        await reading.send(queued("waits", id="q1"))
        await reading.send(queued("gone", id="q2"))
        await reading.send(RemoveQueuedInput(id="q2"))
        await reading.send(Interrupt())
        await reading.ended()

    whole = answer("hello")
    session = desk.new(ScriptedModel(answer("ok")[:1] + [gate] + whole), first)

    async def second(reading: Reading) -> None:
        assert (await reading.until("session_configured")).cwd == other
        assert [entry.id for entry in reading.conversation.session.queue.entries] == ["q1"]
        await turns("three")(reading)

    resumed = ScriptedModel(answer("ok", tokens=40))
    desk.resume(session, resumed, second)
    assert resumed.prompts[0].settings.model == "gpt-4.1"
    sent = resumed.request_text()
    assert "gone" not in sent
    assert sent.index("waits") < sent.index("three")

    async def third(reading: Reading) -> None:
        assert reading.conversation.session.totals.total.total_tokens == 40
        assert not reading.conversation.session.queue
        await turns("four")(reading)

    again = ScriptedModel(answer("ok"))
    desk.resume(session, again, third, model="gpt-5")
    assert again.prompts[0].settings.model == "gpt-5"  # what is given for this run wins


def test_input_queued_during_a_compaction_is_restored(desk: Desk) -> None:
    gate = anyio.Event()

    async def first(reading: Reading) -> None:
        await turns("one")(reading)
        await reading.send(Compact())
        await reading.until("task_started")
        await reading.send(queued("waits", id="q1"))
        await reading.until("queue_changed")
        gate.set()
        await reading.until("context_compacted")

    hang = anyio.Event()
    model = ScriptedModel(answer("ok"), [gate, *answer("summary")], [hang])
    session = desk.new(model, first)
    lines = desk.rollouts()[0].read_bytes().splitlines(keepends=True)
    end = next(at for at, line in enumerate(lines) if b'"type":"compacted"' in line)
    cut = next(at for at in range(end, len(lines)) if b'"type":"input_queued"' in lines[at]) + 1
    desk.rollouts()[0].write_bytes(b"".join(lines[:cut]))

    async def second(reading: Reading) -> None:
        assert [entry.id for entry in reading.conversation.session.queue.entries] == ["q1"]
        assert reading.conversation.session.totals.total.total_tokens == 30

    desk.resume(session, ScriptedModel(), second)


@pytest.mark.parametrize(
    ("ran_with", "resumed_with", "goes_on_with", "note"),
    [
        (
            SandboxMode.DANGER_FULL_ACCESS,
            SandboxMode.READ_ONLY,
            "read-only",
            "-s danger-full-access restores it",
        ),
        (SandboxMode.READ_ONLY, SandboxMode.WORKSPACE_WRITE, "read-only", "its sandbox stays read-only"),
        (SandboxMode.WORKSPACE_WRITE, SandboxMode.WORKSPACE_WRITE, "workspace-write", ""),
    ],
)
def test_a_resume_never_widens_the_sandbox(
    desk: Desk, ran_with: SandboxMode, resumed_with: SandboxMode, goes_on_with: str, note: str
) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one"), sandbox_mode=ran_with)
    (desk.home / "config.toml").write_text(f'sandbox_mode = "{resumed_with}"\n')

    async def check(reading: Reading) -> None:
        assert (await reading.until("session_configured")).sandbox_mode == goes_on_with
        assert reading.conversation.config.sandbox_policy.mode == goes_on_with
        if note:
            assert note in (await reading.until("warning")).message

    desk.resume(session, ScriptedModel(), check, sandbox_mode=None)


def test_a_resume_never_asks_less_and_options_take_precedence(desk: Desk) -> None:
    session = desk.new(
        ScriptedModel(answer("ok")),
        turns("one"),
        approval_policy=AskForApproval.NEVER,
        sandbox_mode=SandboxMode.READ_ONLY,
    )

    def check(policy: str, sandbox: str) -> Script:
        async def script(reading: Reading) -> None:
            configured = await reading.until("session_configured")
            assert (configured.approval_policy, configured.sandbox_mode) == (policy, sandbox)

        return script

    desk.resume(session, ScriptedModel(), check("on-request", "read-only"), sandbox_mode=None)
    desk.resume(
        session,
        ScriptedModel(),
        check("never", "danger-full-access"),
        approval_policy=AskForApproval.NEVER,
    )


def test_an_open_session_is_refused_and_can_be_forked(desk: Desk) -> None:
    model, fork_model = ScriptedModel(answer("ok"), answer("ok")), ScriptedModel(answer("ok"))

    async def main() -> None:
        with anyio.fail_after(20):
            manager = ConversationManager()
            overrides = desk.overrides(cwd=desk.work)
            async with await manager.new(overrides, Parts(client=model)) as conversation:
                await turns("one", "two")(Reading(conversation))
                with pytest.raises(SessionInUse, match=rf"this process.*code fork {conversation.id}"):
                    await manager.resume(conversation.id, overrides, Parts(client=model))
                forking = manager.fork(conversation.id, overrides, Parts(client=fork_model), drop_last=1)
                async with await forking as fork:
                    assert fork.id != conversation.id
                    await turns("three")(Reading(fork))
            async with await manager.resume(conversation.id, overrides, Parts(client=ScriptedModel())):
                pass

    anyio.run(main)
    sent = fork_model.request_text()
    assert "one" in sent
    assert "'two'" not in sent
    again = ScriptedModel(answer("ok"))
    desk.resume(Last(), again, turns("four"))  # the fork, which is independent
    assert "three" in again.request_text()


def test_a_fork_leaves_the_queue_to_the_original_and_may_be_kept_in_memory(desk: Desk) -> None:
    gate = anyio.Event()

    async def first(reading: Reading) -> None:
        await turns("one")(reading)
        await reading.send(text("two"))
        await reading.until("task_started")
        await reading.send(queued("waits"))
        await reading.until("queue_changed")

    session = desk.new(ScriptedModel(answer("ok"), [gate]), first)

    async def look(reading: Reading) -> None:
        assert not reading.conversation.session.queue
        await turns("three")(reading)

    for ephemeral in (None, True):
        model = ScriptedModel(answer("ok"))
        fork = desk.fork(session, model, look, ephemeral=ephemeral)
        assert len(desk.rollouts()) == 2
        assert "one" in model.request_text()
        if not ephemeral:
            desk.resume(fork, ScriptedModel(answer("ok")), look)
    with pytest.raises(StoreError, match="fewer"):
        desk.fork(session, ScriptedModel(), look, drop_last=9)
    with pytest.raises(ConfigError, match="fork it"):
        desk.resume(session, ScriptedModel(), look, ephemeral=True)


def test_a_session_cut_off_at_any_write_continues_with_the_same_prefix(desk: Desk) -> None:
    steps = 30
    scripts = [
        step("update_plan", {"plan": [{"step": f"step {number}", "status": "pending"}]}, number)
        for number in range(1, steps + 1)
    ]
    model = ScriptedModel(*scripts, answer("done"), answer("bye"))
    session = desk.new(model, turns("go", "and now?"))
    whole = input_of(model)
    path = desk.rollouts()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2 * steps
    for cut in range(1, len(lines)):
        torn = lines[cut][: len(lines[cut]) // 2] if cut % 2 else b""
        path.write_bytes(b"".join(lines[:cut]) + torn)
        resumed = ScriptedModel(answer("ok"))
        desk.resume(session, resumed, turns("go on"))
        recorded = sum(b'"type":"response_item"' in line for line in lines[:cut])
        after = input_of(resumed)
        common = min(recorded, len(whole))
        assert after[:common] == whole[:common], f"cut at line {cut}"
        assert after[-1]["content"][0]["text"] == "go on"


def test_a_deleted_directory_is_reported(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = desk.work / "gone"
    gone.mkdir()
    session = desk.new(
        ScriptedModel(answer("ok")), turns("one"), cwd=gone, sandbox_mode=SandboxMode.READ_ONLY
    )
    gone.rmdir()
    monkeypatch.chdir(desk.work)

    async def check(reading: Reading) -> None:
        assert (await reading.until("session_configured")).cwd == desk.work
        assert "no longer exists" in (await reading.until("warning")).message
        assert isinstance(reading.conversation.config.sandbox_policy, ReadOnly)

    desk.resume(session, ScriptedModel(), check, sandbox_mode=None)
