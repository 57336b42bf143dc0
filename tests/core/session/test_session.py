"""What a session reports about itself: to frontends, to its record, and at its end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.answer_ops import UserInputAnswer, UserInputResponse
from code_core.protocol.items import InputText, Message, OutputText
from code_core.protocol.ops import ExecApproval, ImageInput, PatchApproval, ResolveElicitation, TextInput
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    ReasoningEffort,
    ReasoningSummary,
    ReviewDecision,
    WorkspaceWrite,
)
from code_core.protocol.question_events import PlanProposed
from code_core.protocol.session_events import SettingsChanged
from code_core.protocol.token_events import TokenUsage
from code_core.session.history.history import HistoryItem
from code_core.session.input_queue import QueuedInput
from code_core.session.parts import Parts, make_session
from code_core.session.session import LONGEST_PREVIEW, Answer, Session, user_note
from code_core.store.journal import MemoryJournal
from core.session.scripted import ScriptedModel, scripted_config

WORDS = Message(role="user", content=[InputText(text="hello")])
ID = "11111111-1111-4111-8111-111111111111"


def session_of(config: Config, **more: Any) -> Session:
    return make_session(config, ScriptedModel(), Parts(session_id=ID, **more))


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session with a setting of every kind."""
    config = scripted_config(
        tmp_path,
        model="gpt-5",
        approval_policy=AskForApproval.UNTRUSTED,
        settings=(("model_reasoning_effort", "high"), ("model_reasoning_summary", "detailed")),
    )
    session = session_of(config)
    session.name, session.preview = "mine", "hello"
    return session


def queued(*items: Any, name: str = "q") -> QueuedInput:
    return QueuedInput(id=name, submission="1", items=items, output_schema=None)


def words(text: str) -> QueuedInput:
    return queued(TextInput(text=text))


def test_the_first_event_describes_the_session(session: Session) -> None:
    anyio.run(session.history.add, HistoryItem("i", WORDS))
    configured = session.configured()
    assert (configured.session_id, configured.name, configured.preview) == (ID, "mine", "hello")
    assert configured.model == "gpt-5"
    assert configured.cwd == session.config.cwd
    assert (configured.approval_policy, configured.sandbox_mode) == ("untrusted", "danger-full-access")
    assert configured.history_items == 1


def test_settings_are_reported_and_recorded_as_sent_to_the_model(session: Session) -> None:
    assert session.settings_changed() == SettingsChanged(
        model="gpt-5",
        effort="high",
        summary="detailed",
        cwd=session.config.cwd,
        approval_policy="untrusted",
        sandbox_mode="danger-full-access",
    )
    assert session.context_entry().payload == {
        "cwd": str(session.config.cwd),
        "approval_policy": "untrusted",
        "sandbox_policy": {"mode": "danger-full-access"},
        "model": "gpt-5",
        "effort": "high",
        "summary": "detailed",
    }


def test_a_missing_effort_and_the_details_of_a_policy_are_reported(config: Config) -> None:
    session = session_of(config)
    session.settings = replace(
        session.settings, model="gpt-4.1", sandbox_policy=WorkspaceWrite(network_access=True)
    )
    assert session.settings_changed().effort is None
    recorded = session.context_entry().payload
    assert recorded["effort"] is None
    assert recorded["sandbox_policy"]["network_access"] is True


@pytest.mark.parametrize(("effort", "recorded"), [(ReasoningEffort.HIGH, "high"), (None, None)])
def test_plan_mode_is_reported_and_recorded(
    session: Session, effort: ReasoningEffort | None, recorded: str | None
) -> None:
    session.settings = replace(
        session.settings,
        collaboration_mode=CollaborationMode.PLAN,
        preferences=replace(session.settings.preferences, effort=effort),
    )
    assert session.configured().collaboration_mode == "plan"
    assert session.settings_changed().collaboration_mode == "plan"
    assert session.context_entry().payload["collaboration_mode"] == {
        "mode": "plan",
        "settings": {"model": "gpt-5", "reasoning_effort": recorded, "developer_instructions": None},
    }


def test_the_open_plan_is_the_last_history_item_in_plan_mode(session: Session) -> None:
    proposal = Message(
        role="assistant", content=[OutputText(text="<proposed_plan>\nfirst this\n</proposed_plan>")]
    )

    async def add(name: str, item: Message) -> None:
        await session.history.add(HistoryItem(name, item))

    planning = replace(session.settings, collaboration_mode=CollaborationMode.PLAN)
    assert session.open_plan() is None
    anyio.run(add, "early", proposal)
    anyio.run(add, "plan", proposal)
    assert session.open_plan() is None
    session.settings = planning
    assert session.open_plan() == PlanProposed(id="plan", plan="first this")
    anyio.run(add, "words", WORDS)
    assert session.open_plan() is None


ANSWERS: dict[str, Answer] = {
    "approvals": ExecApproval(id="q", decision=ReviewDecision.APPROVED),
    "elicitations": ResolveElicitation(id="q", action="accept"),
    "user_questions": UserInputAnswer(id="q", response=UserInputResponse()),
}
PATCH = PatchApproval(id="q", decision=ReviewDecision.APPROVED)


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize(("part", "op"), [*ANSWERS.items(), ("approvals", PATCH)])
def test_an_answer_goes_to_the_matching_question(
    session: Session, part: str, op: Answer, is_open: bool
) -> None:
    asked: list[Answer] = []

    class Asking:
        def answer(self, op: Answer) -> bool:
            asked.append(op)
            return is_open

    assert not session.answer(ANSWERS["user_questions"])  # nobody can be asked
    setattr(session, part, Asking())
    assert session.answer(op) is is_open
    assert asked == [op]


def test_a_resume_needs_the_settings_the_totals_and_the_queue(session: Session) -> None:
    session.totals.total = TokenUsage(total_tokens=7)
    session.queue.put(words("wait"))
    settings, totals, waiting = session.notes_to_resume()
    assert settings == session.context_entry()
    assert totals == session.totals.entry()
    assert waiting == words("wait").entry()


def test_a_late_reader_gets_the_complete_state(session: Session) -> None:
    anyio.run(session.history.add, HistoryItem("i", WORDS, "t"))
    session.queue.put(words("wait"))
    snapshot = session.snapshot("running")
    assert (snapshot.session_id, snapshot.name, snapshot.preview) == (ID, "mine", "hello")
    assert snapshot.turn_id == "running"
    assert snapshot.settings == session.settings_changed()
    assert [(one.id, one.turn_id, one.item) for one in snapshot.items] == [("i", "t", WORDS)]
    assert [one.id for one in snapshot.queue] == ["q"]


@pytest.mark.parametrize(
    ("inputs", "preview"),
    [
        ([words("fix\n  the   build")], "fix the build"),
        ([words("first"), words("second")], "first"),
        ([queued(ImageInput(image_url="data:x")), words("second")], "second"),
        (
            [queued(TextInput(text="look"), ImageInput(image_url="data:x"), TextInput(text="here"))],
            "look here",
        ),
        ([words("x" * 500)], "x" * LONGEST_PREVIEW),
    ],
)
def test_the_preview_is_the_beginning_of_the_first_input(
    config: Config, inputs: list[QueuedInput], preview: str
) -> None:
    session = session_of(config)
    for one in inputs:
        session.note_preview(one)
    assert session.preview == preview


def test_notes_to_the_model_are_messages_of_their_turn() -> None:
    one, other = user_note("told", "t"), user_note("told")
    assert one.item == Message(role="user", content=[InputText(text="told")])
    assert (one.turn_id, other.turn_id) == ("t", None)
    assert one.id != other.id


def test_everything_is_closed_with_the_record_last(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []

    class Part:
        def __init__(self, name: str) -> None:
            self._name = name

        async def aclose(self) -> None:
            closed.append(self._name)
            raise OSError("broken")

    class Journal(MemoryJournal):
        async def aclose(self) -> None:
            closed.append("journal")
            raise OSError("broken")

    parts: Any = {"checkpoints": Part("checkpoints")}
    for more, names in ((parts, ["checkpoints"]), ({}, [])):
        session = session_of(config, journal=Journal(), **more)
        session.services = replace(session.services, servers=Part("servers"), client=Part("client"))  # type: ignore[arg-type] # they are only closed
        anyio.run(session.aclose)
        assert closed == ["servers", "client", *names, "journal"]
        logged = [record.getMessage() for record in caplog.records]
        assert logged == [
            f"closing the {name} failed" for name in ("MCP servers", "model client", *names, "history")
        ]
        closed.clear()
        caplog.clear()


def test_settings_of_the_summary_and_effort_apply_to_the_model(session: Session) -> None:
    settings = session.settings.capabilities.settings
    assert (settings.effort, settings.summary) == (ReasoningEffort.HIGH, ReasoningSummary.DETAILED)
