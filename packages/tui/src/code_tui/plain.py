"""The plain terminal frontend: labelled lines that are only ever appended.

For screen readers, pipes and terminals that cannot redraw. Ctrl+C interrupts the turn, and at
the prompt clears the line; pressed twice there, it ends the conversation, as does the end of input.
"""

import math
import os
import signal
import sys
from types import UnionType
from typing import Any

import anyio

from code_core.config.load import ConfigOverrides
from code_core.errors import ConversationError
from code_core.headless.exec import use_color
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import (
    ErrorEvent,
    EventMsg,
    SessionConfigured,
    TaskComplete,
    TurnAborted,
    UserMessage,
)
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import (
    AddToHistory,
    ExecApproval,
    InputItem,
    Interrupt,
    Op,
    PatchApproval,
    Shutdown,
    TextInput,
    UserInput,
)
from code_core.protocol.policies import ReviewDecision
from code_core.protocol.question_events import PlanProposed, RequestUserInput
from code_core.protocol.session_events import SettingsChanged, UndoCompleted
from code_core.session.conversation import Conversation
from code_core.session.events.open_items import question_id
from code_core.session.manager import ConversationManager
from code_core.session.stored.opening import Last
from code_core.signals import ending_signals
from code_core.view.answers import Choices, Explain, Page, parse_plan_answer
from code_core.view.append_only import AppendOnly
from code_core.view.plan_tags import WithoutPlanTags
from code_core.view.printer import HumanPrinter
from code_core.view.questions import approval_text, elicitation_text
from code_core.view.undo import undo_lines
from code_tui.asking import Asker
from code_tui.commands.chat import CHAT, Quit, Send, Switch
from code_tui.commands.slash import run_command
from code_tui.elicitation import answer_in_lines
from code_tui.line_input import LineInput
from code_tui.project_trust import ask_about_project
from code_tui.recap import recent_lines
from code_tui.user_questions import answer_questions

PROMPT, PLAN_PROMPT = "\n> ", "\nplan> "
PLAN_QUESTION = "Carry out this plan? (y yes, n no, e say what to change): "
UNANSWERED = "\n(the plan was not answered; say what to change, or leave plan mode with /plan off)\n"
UNFINISHED_PASTE = "\n(pasted; Enter sends it, Ctrl+C discards it)\n"
CLEARED = "(nothing was sent; Ctrl+C again ends the conversation, and so does Ctrl+D)"
USUAL_COLUMNS = 80
TWICE_WITHIN = 3.0
"""Seconds within which a second Ctrl+C at the prompt ends the conversation."""
Question = ApprovalRequest | ElicitationRequest | RequestUserInput


async def run_plain(
    overrides: ConfigOverrides,
    prompt: str | None = None,
    session: Last | str | None = None,
    *,
    drop_last: int | None = None,
) -> int:
    """Chat until the input ends, and return 0, or 128 plus the number of the signal that ended it.

    Args:
        overrides: settings for this run.
        prompt: the first input.
        session: the stored session to resume.
        drop_last: continue with a copy of it, without this many of its last turns.

    Raises:
        ConfigError: the settings are invalid.
        StoreError: the session cannot be opened.
    """
    lines = LineInput(sys.stdin.fileno())
    await ask_about_project(overrides, lines, _make_printer())
    with ConversationManager() as manager:
        if session is None:
            conversation = await manager.new(overrides, CHAT)
        elif drop_last is None:
            conversation = await manager.resume(session, overrides, CHAT)
        else:
            conversation = await manager.fork(session, overrides, CHAT, drop_last=drop_last)
        while True:
            following: Conversation | None = None
            async with conversation, anyio.create_task_group() as tasks:
                frontend = _PlainFrontend(conversation, manager, overrides, lines)
                tasks.start_soon(frontend.handle_signals, tasks.cancel_scope)
                tasks.start_soon(frontend.asker.watch_screen)
                following = await frontend.run(prompt)
                tasks.cancel_scope.cancel()
            if following is None:
                return frontend.code
            conversation, prompt = following, None


class _PlainFrontend:
    def __init__(
        self,
        conversation: Conversation,
        manager: ConversationManager,
        overrides: ConfigOverrides,
        lines: LineInput,
    ) -> None:
        self.conversation = self._conversation = conversation
        self.manager = manager
        self.overrides = overrides
        self._printer = _make_printer()
        self._append_only = AppendOnly()
        self._plan_tags = WithoutPlanTags()
        self._input = lines
        self.asker = Asker(lines, self._printer)
        self.code = 0
        self._working = False
        self._plans = False
        self._plan: PlanProposed | None = None
        self._asking: anyio.CancelScope | None = None
        self._prompting: anyio.CancelScope | None = None
        self._interrupted_at = -math.inf

    async def run(self, prompt: str | None) -> Conversation | None:
        """Alternate between prompts and turns; return the conversation to continue with, if any."""
        await self._until(SessionConfigured)
        while self._conversation.waiting:  # warnings, which must be shown before the user types
            await self._until(object)
        for line in recent_lines(self._conversation.session.history.items):
            self.say(line)
        text = prompt or await self._next()
        while text is not None:
            is_command, outcome = await run_command(self, text)
            items: tuple[InputItem, ...] = () if is_command or not text.strip() else (TextInput(text=text),)
            match outcome:
                case Send(items=items):
                    pass
                case Quit():
                    break
                case Switch(conversation=other):
                    await self._conversation.submit(Shutdown())
                    return other
                case None:
                    pass
            if items:
                await self._conversation.submit(AddToHistory(text=text))
                await self.carry_out(UserInput(items=[*items]))
            text = await self._next()
        else:
            _write("\n")  # the prompt is still open
        await self._conversation.submit(Shutdown())
        return None

    async def _next(self) -> str | None:
        """The user's next input, after any open plan is answered, or None at the end of input."""
        while (plan := self._plan) is not None:
            self._plan = None
            try:
                op = await self._about(plan)
            finally:
                self._prompting = None
                self._input.release()
            match op:
                case ResolvePlan(action="reject"):
                    await self._conversation.submit(op)
                case ResolvePlan():
                    await self.carry_out(op)
                case None:
                    pass
        return await self._ask(PLAN_PROMPT if self._plans else PROMPT)

    async def _about(self, plan: PlanProposed) -> ResolvePlan | None:
        """The user's answer to a plan, or None if it stays open."""
        with anyio.CancelScope() as self._prompting:
            while (text := await self.asker.ask(PLAN_QUESTION)) is not None:
                action = parse_plan_answer(text)
                if action == "revise":
                    changes = await self.asker.ask("what to change, for the model: ")
                    return (
                        None if changes is None else ResolvePlan(id=plan.id, action=action, feedback=changes)
                    )
                if action is not None:
                    return ResolvePlan(id=plan.id, action=action)
        if self._prompting.cancelled_caught:
            _write(UNANSWERED)
        return None

    async def answered_by(self, op: Op, kind: type[Any] | UnionType) -> Any:
        """See `Chat.answered_by`."""
        await self._conversation.submit(op)
        return await self._until(kind)

    async def carry_out(self, op: Op) -> EventMsg:
        """See `Chat.carry_out`."""
        self._working = True
        await self._conversation.submit(op)
        end = await self._until(TaskComplete | TurnAborted | ErrorEvent)
        self._working = False
        return end

    def say(self, text: str) -> None:
        """See `Chat.say`."""
        self._printer.show_line(text)

    async def handle_signals(self, scope: anyio.CancelScope) -> None:
        """Interrupt the turn, or at the prompt clear the line and end everything the second time, on Ctrl+C.

        Any other signal ends everything, and sets the exit code.
        """
        with anyio.open_signal_receiver(*ending_signals()) as signals:
            async for number in signals:
                if number != signal.SIGINT:
                    self.code = 128 + number
                    scope.cancel()
                    return
                if self._working:
                    await self._conversation.submit(Interrupt())
                    if self._asking is not None:
                        self._asking.cancel()
                    continue
                now = anyio.current_time()
                if self._prompting is None or now - self._interrupted_at < TWICE_WITHIN:
                    scope.cancel()
                    return
                self._interrupted_at = now
                self._prompting.cancel()

    async def _until(self, kind: type[Any] | UnionType) -> EventMsg:
        """Show events up to one of `kind`, answering questions among them, and return that event."""
        async for event in self._conversation.events():
            if not isinstance(event.msg, Question):
                for untagged in self._plan_tags.events(event.msg):
                    for msg in self._append_only.events(untagged):
                        self._printer.show(msg)
            self._follow(event.msg)
            await self._answer(event.msg)
            if isinstance(event.msg, kind):
                end: EventMsg = event.msg
                return end
        raise ConversationError("the conversation has ended")

    def _follow(self, msg: EventMsg) -> None:
        """Track the mode and the plan, and show what was undone."""
        match msg:
            case SessionConfigured(collaboration_mode=mode) | SettingsChanged(collaboration_mode=mode):
                self._plans = mode == "plan"
                self._plan = self._plan if self._plans else None
            case PlanProposed():
                self._plan = msg
            case UserMessage():
                self._plan = None
            case UndoCompleted():
                for line in undo_lines(msg):
                    self.say(line)
            case _:
                pass

    async def _answer(self, msg: EventMsg) -> None:
        """Ask the user if `msg` is a question."""
        if not isinstance(msg, Question):
            return
        with anyio.CancelScope() as self._asking:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._take_back, msg, self._asking)
                await self._conversation.submit(await self._op(msg))
                tasks.cancel_scope.cancel()
        self._asking = None
        self._input.release()

    async def _take_back(self, question: Question, asking: anyio.CancelScope) -> None:
        """Stop asking once nobody waits for the answer."""
        await self._conversation.until_closed(question_id(question))
        self.asker.take_back()
        asking.cancel()

    async def _op(self, question: Question) -> Op:
        """The op with the user's answer."""
        match question:
            case ExecApprovalRequest(approval_id=approval_id):
                decision, feedback = await self._decision(question)
                return ExecApproval(id=approval_id, decision=decision, feedback=feedback)
            case ApplyPatchApprovalRequest(approval_id=approval_id):
                decision, feedback = await self._decision(question)
                return PatchApproval(id=approval_id, decision=decision, feedback=feedback)
            case RequestUserInput():
                return await answer_questions(question, self.asker.ask, self._show_lines)
            case ElicitationRequest():
                rows = self._printer.show_question(elicitation_text(question))
                self._printer.show_rows(rows, len(rows))
                return await answer_in_lines(question, self.asker.ask, self._show_lines)

    async def _decision(self, request: ApprovalRequest) -> tuple[ReviewDecision, str | None]:
        """The user's decision, with a reason for the model on denial; the end of input stops the turn."""
        rows: list[str] = []

        def choices() -> Choices:
            return Choices.about(request, unseen=len(rows))

        def show() -> str:
            nonlocal rows
            rows = self._printer.show_question(approval_text(request))
            return choices().prompt()

        show()
        while True:
            text = await self.asker.ask(choices().prompt(), show)
            if text is None:
                return ReviewDecision.ABORT, None
            match choices().parse(text):
                case ReviewDecision() as decision:
                    return decision, None
                case Explain():
                    return ReviewDecision.DENIED, await self.asker.ask("reason, for the model: ")
                case Page.NEXT:
                    rows = self._printer.show_rows(rows)
                case Page.ALL:
                    rows = self._printer.show_rows(rows, len(rows))
                case None:
                    pass

    def _show_lines(self, lines: list[str]) -> None:
        rows = self._printer.rows(lines)
        self._printer.show_rows(rows, len(rows))

    async def _ask(self, question: str) -> str | None:
        """The user's input, several lines if pasted, or None at the end of input."""
        while True:
            _write(question)
            with anyio.CancelScope() as scope:
                self._prompting = scope if self._input.is_terminal else None
                text = await self._input.entry(lambda: _write(UNFINISHED_PASTE))
            self._prompting = None
            if scope.cancelled_caught:
                self._input.discard()
                _write(f"\n{CLEARED}\n")
            elif text is not None and (problem := self._input.cut_off(text)):
                self.say(problem)
            else:
                return text


def _make_printer() -> HumanPrinter:
    return HumanPrinter(
        _write, color=use_color(sys.stdout), columns=_columns, encoding=sys.stdout.encoding, streams=True
    )


def _columns() -> int | None:
    """The actual width of the screen, regardless of the environment; None without a screen."""
    if not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or USUAL_COLUMNS


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
