"""Parses the user's answers to questions: only complete, short words count."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Self

from code_core.frozen import frozen
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.policies import ReviewDecision


class Page(StrEnum):
    """Answers that ask to see more of the question."""

    NEXT = "next"
    ALL = "all"


class Explain(StrEnum):
    """The answer that declines and adds an explanation for the model."""

    NO = "no"


Answer = ReviewDecision | Page | Explain

_WORDS: Mapping[str, Answer] = {
    "y": ReviewDecision.APPROVED,
    "yes": ReviewDecision.APPROVED,
    "a": ReviewDecision.APPROVED_FOR_SESSION,
    "session": ReviewDecision.APPROVED_FOR_SESSION,
    "p": ReviewDecision.APPROVED_PREFIX,
    "always": ReviewDecision.APPROVED_PREFIX,
    "n": ReviewDecision.DENIED,
    "no": ReviewDecision.DENIED,
    "e": Explain.NO,
    "explain": Explain.NO,
    "q": ReviewDecision.ABORT,
    "quit": ReviewDecision.ABORT,
    "v": Page.NEXT,
    "view": Page.NEXT,
    "all": Page.ALL,
}
SESSION_COMMAND = "just this for the session"
SESSION_FILES = "every change of these files for the session"
_APPROVING = frozenset(
    {ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION, ReviewDecision.APPROVED_PREFIX}
)


@frozen
class Choices:
    """The answers that a question currently accepts.

    Attributes:
        session: what a yes for the session allows, worded to end a sentence.
        rule: whether a rule is proposed, which `always` adds.
        unseen: lines not shown yet; while there are any, nothing can be approved.
    """

    session: str = SESSION_COMMAND
    rule: bool = False
    unseen: int = 0

    def prompt(self) -> str:
        """The line that lists the possible answers."""
        if self.unseen:
            lines = "line" if self.unseen == 1 else "lines"
            return f"{self.unseen:,} more {lines} (v view, all view all, n no, e no and say why, q stop): "
        always = ", p always" if self.rule else ""
        return f"(y yes, a yes to {self.session}{always}, n no, e no and say why, q stop): "

    @classmethod
    def about(cls, request: ApprovalRequest, unseen: int = 0) -> Self:
        """Return the choices for `request` while `unseen` of its lines have not been shown."""
        match request:
            case ExecApprovalRequest(proposed_rule=rule):
                return cls(SESSION_COMMAND, rule is not None, unseen)
            case ApplyPatchApprovalRequest():
                return cls(SESSION_FILES, False, unseen)

    def parse(self, text: str) -> Answer | None:
        """Return the answer in `text`, or None if it is not one and must be asked again."""
        answer = _WORDS.get(text.strip(" \t\r").lower())
        if answer in _APPROVING and self.unseen:
            return None
        if isinstance(answer, Page) and not self.unseen:
            return None
        if answer is ReviewDecision.APPROVED_PREFIX and not self.rule:
            return None
        return answer


def parse_plan_answer(text: str) -> Literal["accept", "reject", "revise"] | None:
    """Return what an answer to a plan means, or None if it is not one and must be asked again."""
    match _WORDS.get(text.strip(" \t\r").lower()):
        case ReviewDecision.APPROVED:
            return "accept"
        case ReviewDecision.DENIED:
            return "reject"
        case Explain.NO:
            return "revise"
        case _:
            return None


def parse_yes_or_no(text: str) -> bool | None:
    """Return True for yes, False for no, and None for anything else."""
    return {"y": True, "yes": True, "n": False, "no": False}.get(text.strip(" \t\r").lower())
