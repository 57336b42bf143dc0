"""The plain terminal frontend: labelled lines that are only ever appended.

For screen readers, pipes and terminals that cannot redraw. Ctrl+C interrupts the
turn, and ends the conversation when none runs; the end of input ends it too.
"""

import signal
import sys
from textwrap import indent
from types import UnionType
from typing import Any

import anyio

from code_core.config.load import ConfigOverrides
from code_core.headless.exec import use_color
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import ErrorEvent, EventMsg, SessionConfigured, TaskComplete, TurnAborted
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ExecApproval, Interrupt, PatchApproval, Shutdown, TextInput, UserInput
from code_core.protocol.policies import ReviewDecision
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.view.printer import HumanPrinter
from code_tui.elicitation import answer_in_lines
from code_tui.line_input import LineInput

PROMPT = "\n> "
QUESTION = "  y yes, a yes for this session, n no, q no and stop: "
QUESTION_WITH_RULE = "  y yes, a yes for this session, p yes always, n no, q no and stop: "
QUIT = frozenset({"/quit", "/exit"})
_ANSWERS = {
    "y": ReviewDecision.APPROVED,
    "a": ReviewDecision.APPROVED_FOR_SESSION,
    "n": ReviewDecision.DENIED,
    "q": ReviewDecision.ABORT,
}
_ANSWERS_WITH_RULE = {**_ANSWERS, "p": ReviewDecision.APPROVED_PREFIX}


async def run_plain(overrides: ConfigOverrides, prompt: str | None = None) -> int:
    """Talk until the input ends; 0.

    Raises:
        ConfigError: the settings are wrong.
    """
    with ConversationManager() as manager:
        conversation = await manager.new(overrides)
        async with conversation, anyio.create_task_group() as tasks:
            frontend = _PlainFrontend(conversation)
            tasks.start_soon(frontend.handle_interrupts, tasks.cancel_scope)
            await frontend.run(prompt)
            tasks.cancel_scope.cancel()
    return 0


class _PlainFrontend:
    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._printer = HumanPrinter(_write, color=use_color(sys.stdout))
        self._input = LineInput(sys.stdin.fileno())
        self._working = False

    async def run(self, prompt: str | None) -> None:
        """Alternate between the user's prompts and the agent's turns."""
        await self._until(SessionConfigured)
        text = prompt or await self._ask(PROMPT)
        while text is not None and text.strip() not in QUIT:
            if text.strip():
                self._working = True
                await self._conversation.submit(UserInput(items=[TextInput(text=text)]))
                await self._until(TaskComplete | TurnAborted | ErrorEvent)
                self._working = False
            text = await self._ask(PROMPT)
        await self._conversation.submit(Shutdown())

    async def handle_interrupts(self, scope: anyio.CancelScope) -> None:
        """Interrupt the turn, or end everything when there is none."""
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if not self._working:
                    scope.cancel()
                    return
                await self._conversation.submit(Interrupt())

    async def _until(self, kind: type[Any] | UnionType) -> None:
        """Show events up to one of `kind`, and answer the questions among them."""
        async for event in self._conversation.events():
            self._printer.show(event.msg)
            await self._answer(event.msg)
            if isinstance(event.msg, kind):
                return

    async def _answer(self, msg: EventMsg) -> None:
        match msg:
            case ExecApprovalRequest(approval_id=approval_id, proposed_rule=rule):
                if rule is not None:
                    _write(f"  p adds this rule to yours:\n{indent(rule, '    ')}")
                decision = await self._decision(with_rule=rule is not None)
                await self._conversation.submit(ExecApproval(id=approval_id, decision=decision))
            case ApplyPatchApprovalRequest(approval_id=approval_id):
                await self._conversation.submit(
                    PatchApproval(id=approval_id, decision=await self._decision())
                )
            case ElicitationRequest():
                await self._conversation.submit(await answer_in_lines(msg, self._ask))
            case _:
                pass

    async def _decision(self, *, with_rule: bool = False) -> ReviewDecision:
        """The user's answer; no more input means no."""
        answers = _ANSWERS_WITH_RULE if with_rule else _ANSWERS
        while (text := await self._ask(QUESTION_WITH_RULE if with_rule else QUESTION)) is not None:
            if decision := answers.get(text.strip().lower()[:1]):
                return decision
        return ReviewDecision.ABORT

    async def _ask(self, question: str) -> str | None:
        """A line of input, or None when there is none left."""
        _write(question)
        return await self._input.line()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
