"""The plain terminal frontend: labelled lines that are only ever appended.

For screen readers, pipes and terminals that cannot redraw. Ctrl+C interrupts the turn, and at
the prompt clears the line; pressed twice there, it ends the conversation, as the end of input does.
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
from code_core.session.manager import ConversationManager
from code_core.session.stored.opening import Last
from code_core.view.answers import Choices, Explain, Page, parse_plan_answer
from code_core.view.append_only import AppendOnly
from code_core.view.printer import HumanPrinter
from code_core.view.questions import approval_text, elicitation_text
from code_core.view.titles import shortened
from code_core.view.undo import undo_lines
from code_core.view.visible import visible
from code_tui.elicitation import answer_in_lines
from code_tui.line_input import LineInput
from code_tui.project_trust import ask_about_project
from code_tui.slash import CHAT, Quit, Send, Switch, recent_lines, run_command
from code_tui.user_questions import answer_questions

PROMPT, PLAN_PROMPT = "\n> ", "\nplan> "
PLAN_QUESTION = "Carry out this plan? (y yes, n no, e say what to change): "
UNANSWERED = "\n(the plan was not answered; say what to change, or leave plan mode with /plan off)\n"
UNFINISHED_PASTE = "\n(pasted; Enter sends it, Ctrl+C discards it)\n"
CLEARED = "(nothing was sent; Ctrl+C again ends the conversation, and so does Ctrl+D)"
USUAL_COLUMNS = 80
TWICE_WITHIN = 3.0
"""Seconds between two Ctrl+C at the prompt that end the conversation."""
Question = ApprovalRequest | ElicitationRequest | RequestUserInput


async def run_plain(
    overrides: ConfigOverrides,
    prompt: str | None = None,
    session: Last | str | None = None,
    *,
    drop_last: int | None = None,
) -> int:
    """Talk until the input ends; 0.

    Args:
        overrides: settings of this run.
        prompt: the first input.
        session: the stored session to resume.
        drop_last: continue with a copy of it, without this many of its last turns.

    Raises:
        ConfigError: the settings are wrong.
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
                tasks.start_soon(frontend.handle_interrupts, tasks.cancel_scope)
                following = await frontend.run(prompt)
                tasks.cancel_scope.cancel()
            if following is None:
                return 0
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
        self._input = lines
        self._working = False
        self._plans = False
        self._plan: PlanProposed | None = None
        self._asking: anyio.CancelScope | None = None
        self._prompting: anyio.CancelScope | None = None
        self._interrupted_at = -math.inf

    async def run(self, prompt: str | None) -> Conversation | None:
        """Alternate between the user's prompts and the agent's turns; the conversation to go on with, if any."""
        await self._until(SessionConfigured)
        while self._conversation.waiting:  # warnings, which must not come after what the user types
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
        await self._conversation.submit(Shutdown())
        return None

    async def _next(self) -> str | None:
        """What the user enters next, once the plan that waits is answered; None when there is no more input."""
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
        """The user's answer to a plan; None if they do not give one, and the plan stays open."""
        with anyio.CancelScope() as self._prompting:
            while (text := await self._ask_about(PLAN_QUESTION)) is not None:
                action = parse_plan_answer(text)
                if action == "revise":
                    changes = await self._ask_about("what to change, for the model: ")
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
        _write(f"{text}\n")

    async def handle_interrupts(self, scope: anyio.CancelScope) -> None:
        """Interrupt the turn; clear the line at the prompt, and end everything the second time."""
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
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
        """Show events up to one of `kind`, and answer the questions among them; that one."""
        async for event in self._conversation.events():
            if not isinstance(event.msg, Question):
                for msg in self._append_only.events(event.msg):
                    self._printer.show(msg)
            self._follow(event.msg)
            await self._answer(event.msg)
            if isinstance(event.msg, kind):
                end: EventMsg = event.msg
                return end
        raise ConversationError("the conversation has ended")

    def _follow(self, msg: EventMsg) -> None:
        """Take note of the mode and the plan, and show what was undone."""
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
        """Ask the user, if `msg` is a question."""
        if not isinstance(msg, Question):
            return
        with anyio.CancelScope() as self._asking:
            await self._conversation.submit(await self._op(msg))
        self._asking = None
        self._input.release()

    async def _op(self, question: Question) -> Op:
        """What the user answers."""
        match question:
            case ExecApprovalRequest(approval_id=approval_id):
                decision, feedback = await self._decision(question)
                return ExecApproval(id=approval_id, decision=decision, feedback=feedback)
            case ApplyPatchApprovalRequest(approval_id=approval_id):
                decision, feedback = await self._decision(question)
                return PatchApproval(id=approval_id, decision=decision, feedback=feedback)
            case RequestUserInput():
                return await answer_questions(question, self._ask_about, self._show_lines)
            case ElicitationRequest():
                rows = self._printer.show_question(elicitation_text(question))
                self._printer.show_rows(rows, len(rows))
                return await answer_in_lines(question, self._ask_about, self._show_lines)

    async def _decision(self, request: ApprovalRequest) -> tuple[ReviewDecision, str | None]:
        """The user's answer, and the reason for a no, for the model; the end of input stops the turn."""
        rows = self._printer.show_question(approval_text(request))
        while True:
            choices = Choices.about(request, unseen=len(rows))
            text = await self._ask_about(choices.prompt())
            if text is None:
                return ReviewDecision.ABORT, None
            match choices.parse(text):
                case ReviewDecision() as decision:
                    return decision, None
                case Explain():
                    return ReviewDecision.DENIED, await self._ask_about("reason, for the model: ")
                case Page.NEXT:
                    rows = self._printer.show_rows(rows)
                case Page.ALL:
                    rows = self._printer.show_rows(rows, len(rows))
                case None:
                    pass

    async def _ask_about(self, prompt: str) -> str | None:
        """A line that is entered after `prompt` was shown; what was entered before is not an answer.

        Neither is a line with others right behind it on a terminal: it was pasted.
        """
        line: str | None = None
        while True:
            self._report(self._input.hold(line))
            self._printer.show_prompt(prompt)
            line = await self._input.line()
            if line is None or not self._input.is_followed():
                return line

    def _report(self, held: tuple[list[str], str]) -> None:
        lines, unfinished = held
        if kept := [line for line in lines if line.strip()]:
            more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
            _write(f"(not an answer, kept for the next prompt: {shortened(visible(kept[0]))}{more})\n")
        if unfinished.strip():
            _write(f"(discarded, because you did not press Enter: {shortened(visible(unfinished))})\n")

    def _show_lines(self, lines: list[str]) -> None:
        rows = self._printer.rows(lines)
        self._printer.show_rows(rows, len(rows))

    async def _ask(self, question: str) -> str | None:
        """What the user enters, several lines if they are pasted; None when there is no more input."""
        while True:
            _write(question)
            with anyio.CancelScope() as scope:
                self._prompting = scope if self._input.is_terminal else None
                text = await self._input.entry(lambda: _write(UNFINISHED_PASTE))
            self._prompting = None
            if not scope.cancelled_caught:
                return text
            self._input.discard()
            _write(f"\n{CLEARED}\n")


def _make_printer() -> HumanPrinter:
    return HumanPrinter(
        _write, color=use_color(sys.stdout), columns=_columns, encoding=sys.stdout.encoding, streams=True
    )


def _columns() -> int | None:
    """The real width of the screen, whatever the environment says; None where there is no screen."""
    if not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or USUAL_COLUMNS


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
