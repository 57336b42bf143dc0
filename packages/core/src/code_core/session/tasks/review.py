"""A review: the model reads changes in a separate conversation and reports its findings."""

from dataclasses import replace
from typing import Any

from code_core.context.instructions import BASE_INSTRUCTIONS
from code_core.errors import TurnError
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta
from code_core.protocol.events import EventMsg, EventOrder
from code_core.protocol.items import InputText, Message
from code_core.protocol.ops import BaseBranch, CommitChanges, CustomReview, ReviewTarget, UncommittedChanges
from code_core.protocol.policies import AskForApproval, ReadOnly
from code_core.protocol.session_events import EnteredReviewMode, ExitedReviewMode
from code_core.session.history.history import History, HistoryItem, NoJournal
from code_core.session.session import Session, user_note
from code_core.session.tasks.task import Report
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.lazy_tool_context import LazyToolContext
from code_core.session.turn.limits import TurnLimits
from code_core.session.turn.loop import TurnLoop
from code_core.session.turn.reporter import Reporter
from code_core.tools.tool import ToolContext

INSTRUCTIONS = """

# This task
You review changes that another engineer made. Change nothing. Read the diff and as much of the code around it as \
you need. Report bugs, risks and broken promises that the change introduces, the worst first: for each one file and \
line, what goes wrong and in which case, and how to fix it. Leave matters of taste out. If you find nothing, say so. \
End with one sentence: is the change correct?
"""


class ReviewTask:
    """See `Task`.

    Args:
        target: the changes to review.
    """

    kind = "review"
    interrupted_note = None

    def __init__(self, target: ReviewTarget) -> None:
        self._target = target

    async def run(self, session: Session, report: Report) -> str | None:
        """See `Task.run`."""
        description, request = _described(self._target)
        await report.emit(EnteredReviewMode(target=self._target, description=description))
        review: str | None = None
        try:
            review = await self._review(session, report, request)
        finally:
            await report.emit(ExitedReviewMode(review=review))
        if not review:
            raise TurnError("the review produced no result: try again")
        await session.history.add(
            user_note(f"<code_review>\n<of>{description}</of>\n{review}\n</code_review>", report.turn_id)
        )
        return review

    async def _review(self, session: Session, report: Report, request: str) -> str | None:
        """Run one read-only turn whose history is discarded afterwards."""

        async def emit(msg: EventMsg, order: EventOrder | None = None) -> None:
            if not isinstance(msg, AgentMessage | AgentMessageDelta):  # `exited_review_mode` has the text
                await report.emit(msg, order)

        async def nothing_waits() -> dict[str, Any] | None:
            return None

        async def no_room() -> bool:
            return False

        async def read_only_context() -> ToolContext:
            given = await tool_context.get()
            return replace(given, sandbox_policy=ReadOnly(), approval_policy=AskForApproval.NEVER)

        model, config = session.settings.capabilities, session.config
        clock = TurnClock(config.limits.max_wall_seconds)
        limits = TurnLimits(config.limits, clock, session.totals)
        limits.check_prices(session.settings.model, model.prices)
        history = History(NoJournal())
        question = Message(role="user", content=[InputText(text=request)])
        await history.add(HistoryItem("review", question, report.turn_id))
        with clock.running(), LazyToolContext(session, report, clock) as tool_context:
            return await TurnLoop(
                conversation_id=session.id,
                turn_id=report.turn_id,
                instructions=(config.base_instructions or BASE_INSTRUCTIONS) + INSTRUCTIONS,
                model=model.settings,
                limits=limits,
                client=session.services.client,
                tools=session.services.tools.only("shell"),
                tool_context=read_only_context,
                reporter=Reporter(emit, session.totals, model.context_window, model.prices, limits.left),
                history=history,
                before_request=nothing_waits,
                is_full=lambda: False,
                make_room=no_room,
                item_id=report.item_id,
            ).run()
        raise AssertionError("the loop returns or raises")


def _described(target: ReviewTarget) -> tuple[str, str]:
    """Describe the review, briefly for the user and as a request to the model."""
    match target:
        case UncommittedChanges():
            return (
                "uncommitted changes",
                "Review the uncommitted changes: staged, unstaged and untracked files (git status, git diff HEAD).",
            )
        case BaseBranch(branch=branch):
            return (
                f"changes against {branch}",
                f"Review what this branch adds to {branch!r}: git diff $(git merge-base HEAD {branch!r}).",
            )
        case CommitChanges(sha=sha):
            return f"commit {sha}", f"Review the commit {sha!r}: git show {sha!r}."
        case CustomReview(instructions=instructions):
            lines = instructions.strip().splitlines()
            return lines[0][:100] if lines else "changes", instructions
