"""One turn of a conversation. It belongs to its session, so that one request can begin it and another continue it."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeGuard

import anyio
from anyio.abc import TaskGroup

from code_core.errors import ConversationError
from code_core.protocol.answer_ops import ResolvePlan, UserInputAnswer
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import ErrorEvent, Event, TaskComplete, TurnAborted
from code_core.protocol.mcp_events import ElicitationRequest, ElicitationWithdrawn
from code_core.protocol.ops import ExecApproval, Interrupt, PatchApproval, ResolveElicitation, UserInput
from code_core.protocol.question_events import PlanProposed, RequestUserInput
from code_core.session.conversation import Conversation
from code_mcp_server.live_output import LiveOutput, next_event

INTERRUPT_SECONDS = 5.0
QUIET_SECONDS = 0.05
"""A turn that has asked something counts as waiting after this long without events."""
MOST_ASKING_SECONDS = 1.0
"""The same from its first question, even if the turn continues."""

OnEvent = Callable[[Conversation, Event, TaskGroup], Awaitable[None]]
TurnEnd = TaskComplete | TurnAborted | ErrorEvent
Question = ApprovalRequest | ElicitationRequest | RequestUserInput | PlanProposed
Reply = ExecApproval | PatchApproval | ResolveElicitation | UserInputAnswer | ResolvePlan


def question_key(question: Question) -> str:
    """Return the key with which an answer refers to a question."""
    match question:
        case ElicitationRequest(id=key) | RequestUserInput(request_id=key) | PlanProposed(id=key):
            return key
        case _:
            return question.approval_id


def _is_question(msg: object) -> TypeGuard[ApprovalRequest | ElicitationRequest | RequestUserInput]:
    """Whether an event keeps the turn waiting for an answer from the client."""
    return isinstance(
        msg, ExecApprovalRequest | ApplyPatchApprovalRequest | ElicitationRequest | RequestUserInput
    )


class Turn:
    """A turn and its open questions. While nothing follows it, its events wait in the conversation.

    A turn that ends with a plan can ask about it. The turn then continues until the answer, and if the answer
    starts work, until that work ends.

    Args:
        conversation: the conversation.
        asks_about_plans: whether the client can answer a question about a plan.

    Attributes:
        plan: the plan that the turn has ended with, or that it asks about; None once work on it starts.
        plan_open: whether nobody has answered the plan.
        open: unanswered questions by key, with the submission of the event that asked.
        followed: whether a request is reading its events.
        end: how it ended, or None.
    """

    def __init__(self, conversation: Conversation, *, asks_about_plans: bool = False) -> None:
        self._conversation = conversation
        self._asks_about_plans = asks_about_plans
        self._planned: TaskComplete | None = None  # the end of the planning, while its plan awaits an answer
        self._awaiting_plan_answer = anyio.CancelScope()
        self.plan: PlanProposed | None = None
        self.plan_open = False
        self._submission = ""
        self.open: dict[str, tuple[Question, str]] = {}
        self.followed = True
        self.end: TurnEnd | None = None

    async def submit(self, op: UserInput) -> None:
        """Begin the turn.

        Raises:
            ConversationError: the conversation has ended.
        """
        try:
            self._submission = await self._conversation.submit(op)
        except ConversationError as error:
            self.end = ErrorEvent(message=str(error))
            raise

    async def run(self, on_event: OnEvent, live: LiveOutput | None = None) -> TurnEnd:
        """Follow the turn to its end, reading its events through `live`. Cancelling this interrupts it.

        Tasks that `on_event` starts in its task group run alongside the events and end with the turn.
        """
        self.followed = True
        try:
            async with anyio.create_task_group() as questions:
                async for event in self._events(live):
                    await on_event(self._conversation, event, questions)
                questions.cancel_scope.cancel()
        finally:
            self.followed = False
            if self.end is None:
                await self.interrupt()
        assert self.end is not None  # noqa: S101 - `_events` has ended
        return self.end

    async def run_until_asked(
        self, on_event: Callable[[Event], Awaitable[None]], live: LiveOutput | None = None
    ) -> TurnEnd | None:
        """Follow the turn until it ends or waits for answers; in the latter case, return None.

        Events are read through `live`. Cancelling this interrupts the turn.
        """
        self.followed, parked = True, False
        asked_at = anyio.current_time()
        try:
            while self.end is None:
                quiet = min(anyio.current_time() + QUIET_SECONDS, asked_at + MOST_ASKING_SECONDS)
                event = await self._next_before(quiet if self.open else math.inf, live)
                if event is None:
                    parked = True
                    break
                asked_at = asked_at if self.open else anyio.current_time()
                await on_event(event)
                self.note(event)
        finally:
            self.followed = False
            if self.end is None and not parked:
                await self.interrupt()
        return self.end

    def note(self, event: Event) -> None:
        """Remember the question in `event`, or forget one that `event` withdraws."""
        if isinstance(event.msg, ElicitationWithdrawn):
            self.open.pop(event.msg.id, None)
        if (question := self.question_in(event)) is not None:
            self.open[question_key(question)] = question, event.id

    def question_in(self, event: Event) -> Question | None:
        """Return the question that `event` asks the client, if any; a plan is asked about when planning ends."""
        if event.msg is self._planned:
            return self.plan
        return event.msg if _is_question(event.msg) else None

    async def reply(self, answer: Reply) -> None:
        """Answer a question."""
        self.open.pop(answer.id, None)
        with suppress(ConversationError):
            submission = await self._conversation.submit(answer)
            if isinstance(answer, ResolvePlan) and self._planned is not None:
                self.plan_open = False
                if answer.action == "reject":
                    self._end_asking(self._planned)
                else:
                    self._submission, self._planned, self.plan = submission, None, None

    def stop_asking(self) -> None:
        """End a turn that only waits for an answer about its plan, which stays open."""
        if self._planned is not None:
            self._end_asking(TurnAborted(reason="interrupted"))

    def _end_asking(self, end: TurnEnd) -> None:
        self.end, self._planned = end, None
        self.open.clear()
        self._awaiting_plan_answer.cancel()

    async def interrupt(self) -> None:
        """End an abandoned turn, so that the next one sees only its own events."""
        if self._planned is not None:
            self.stop_asking()
            return
        with anyio.move_on_after(INTERRUPT_SECONDS, shield=True), suppress(ConversationError):
            await self._conversation.submit(Interrupt())
            async for _ in self._events():
                pass
        self.end = self.end or TurnAborted(reason="interrupted")

    async def _events(self, live: LiveOutput | None = None) -> AsyncIterator[Event]:
        """Yield the events up to the last one of this turn; sets `end` before yielding that one."""
        while self.end is None and (event := await self._next_before(math.inf, live)) is not None:
            yield event

    async def _next_before(self, deadline: float, live: LiveOutput | None) -> Event | None:
        """Return the next event, setting `end` if it is the last one, or None if none arrives before `deadline`."""
        event: Event | None = None
        if self._planned is None:
            event = await self._read(deadline, live)
        else:
            with anyio.CancelScope() as self._awaiting_plan_answer:
                event = await self._read(deadline, live)
        if event is None:
            if self.end is None and anyio.current_time() < deadline:
                self.end = ErrorEvent(message=f"session {self._conversation.id} has ended")
            return None
        match event.msg:
            case PlanProposed() as plan if event.id == self._submission:
                self.plan, self.plan_open = plan, True
            case TaskComplete() as end if (
                self.plan is not None and self._asks_about_plans and event.id == self._submission
            ):
                self._planned = end
            case (TaskComplete() | TurnAborted() | ErrorEvent()) as end if event.id == self._submission:
                self.end = end
            case _:
                pass
        return event

    async def _read(self, deadline: float, live: LiveOutput | None) -> Event | None:
        events = self._conversation.events()
        return await (next_event(events, deadline) if live is None else live.next_event(events, deadline))
