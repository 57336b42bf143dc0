"""A session: the state that a restart restores, and the services it uses."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from code_core.config.load import Config
from code_core.protocol.answer_ops import UserInputAnswer
from code_core.protocol.events import SessionConfigured
from code_core.protocol.items import InputText, Message
from code_core.protocol.ops import ExecApproval, PatchApproval, ResolveElicitation, TextInput
from code_core.protocol.question_events import PlanProposed
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged, SnapshotItem
from code_core.session.history.history import History, HistoryItem
from code_core.session.history.shown_context import ShownContext
from code_core.session.input_queue import InputQueue, QueuedInput
from code_core.session.plan_mode import open_plan
from code_core.session.questions.approvals import Approvals
from code_core.session.questions.elicitations import Elicitations
from code_core.session.questions.user_questions import UserQuestions
from code_core.session.services import Services, close_all
from code_core.session.settings import TurnSettings
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.reporter import TokenTotals
from code_core.store.entries import Entry, TurnContext

Answer = ExecApproval | PatchApproval | ResolveElicitation | UserInputAnswer

LONGEST_PREVIEW = 200
"""Characters of the first input shown in lists."""


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """The state that tasks read and change; only one task runs at a time.

    Attributes:
        settings: the settings for the next turn.
        history: the items that the model sees.
        queue: input that waits for the next request.
        approvals: what the user has allowed for the session.
        totals: tokens used so far.
        shown_context: the context that the model has already seen.
        user_questions: questions from the model; None if no user can answer.
        name: the user's name for the session.
        preview: the beginning of its first input.
        notes: sentences for the user about how the session was restored.
        found_tools: names of server tools that the model has found by searching; None before the first search.
        clock: the clock of the latest turn.
    """

    id: str
    config: Config
    settings: TurnSettings
    history: History
    services: Services
    approvals: Approvals
    elicitations: Elicitations
    user_questions: UserQuestions | None = None
    queue: InputQueue = field(default_factory=InputQueue)
    totals: TokenTotals = field(default_factory=TokenTotals)
    shown_context: ShownContext = field(default_factory=ShownContext)
    name: str | None = None
    preview: str = ""
    notes: tuple[str, ...] = ()
    found_tools: dict[str, None] | None = None
    clock: TurnClock = field(default_factory=lambda: TurnClock(None))

    def configured(self) -> SessionConfigured:
        """The session's first event."""
        settings = self.settings
        return SessionConfigured(
            session_id=self.id,
            model=settings.model,
            cwd=settings.cwd,
            approval_policy=settings.approval_policy.value,
            sandbox_mode=settings.sandbox_policy.mode,
            collaboration_mode=settings.collaboration_mode.value,
            name=self.name,
            preview=self.preview,
            history_items=len(self.history.items),
        )

    def settings_changed(self) -> SettingsChanged:
        """The settings as an event."""
        settings, model = self.settings, self.settings.capabilities.settings
        return SettingsChanged(
            model=model.model,
            effort=None if model.effort is None else model.effort.value,
            summary=model.summary.value,
            cwd=settings.cwd,
            approval_policy=settings.approval_policy.value,
            sandbox_mode=settings.sandbox_policy.mode,
            collaboration_mode=settings.collaboration_mode.value,
        )

    def answer(self, op: Answer) -> bool:
        """Answer a question; False if it is not open."""
        match op:
            case ExecApproval() | PatchApproval():
                return self.approvals.answer(op)
            case ResolveElicitation():
                return self.elicitations.answer(op)
            case UserInputAnswer():
                return self.user_questions is not None and self.user_questions.answer(op)

    def open_plan(self) -> PlanProposed | None:
        """Return the plan waiting for the user's answer, if any."""
        items = self.history.items
        return open_plan(self.settings.collaboration_mode, items[-1] if items else None)

    def context_entry(self) -> TurnContext:
        """The journal entry that records the settings, in Codex's format."""
        settings, model = self.settings, self.settings.capabilities.settings
        effort = None if model.effort is None else model.effort.value
        recorded: dict[str, Any] = {
            "cwd": str(settings.cwd),
            "approval_policy": settings.approval_policy.value,
            "sandbox_policy": settings.sandbox_policy.model_dump(mode="json"),
            "model": model.model,
            "effort": effort,
            "summary": model.summary.value,
        }
        if settings.is_planning:
            of_mode = {"model": model.model, "reasoning_effort": effort, "developer_instructions": None}
            mode = settings.collaboration_mode.value
            recorded["collaboration_mode"] = {"mode": mode, "settings": of_mode}
        return TurnContext(recorded)

    def notes_to_resume(self) -> list[Entry]:
        """The entries that a resume needs besides the history."""
        waiting = [entry.entry() for entry in self.queue.entries]
        return [self.context_entry(), self.totals.entry(), *waiting]

    async def aclose(self) -> None:
        """Release everything the session uses, its lock last."""
        services = self.services
        await close_all(
            ("MCP servers", services.servers.aclose),
            ("model client", services.client.aclose),
            *([] if services.checkpoints is None else [("checkpoints", services.checkpoints.aclose)]),
            ("history", self.history.aclose),
        )

    def snapshot(self, turn_id: str | None) -> SessionSnapshot:
        """The current state, for a reader that joins late."""
        return SessionSnapshot(
            session_id=self.id,
            name=self.name,
            preview=self.preview,
            settings=self.settings_changed(),
            items=[
                SnapshotItem.model_construct(id=one.id, turn_id=one.turn_id, item=one.item)
                for one in self.history.items
            ],
            queue=self.queue.changed().entries,
            turn_id=turn_id,
        )

    def note_preview(self, entry: QueuedInput) -> None:
        """Remember the beginning of the first input as the preview."""
        if not self.preview:
            text = " ".join(item.text for item in entry.items if isinstance(item, TextInput))
            self.preview = " ".join(text.split())[:LONGEST_PREVIEW]


def user_note(text: str, turn_id: str | None = None) -> HistoryItem:
    """Return an engine note to the model, sent with the user role."""
    message = Message(role="user", content=[InputText(text=text)])
    return HistoryItem(f"note_{uuid4().hex}", message, turn_id)
