"""Pending questions: each goes out as an event, and its answer comes in as an op."""

from typing import Generic, TypeVar

import anyio

from code_core.protocol.events import EventMsg
from code_core.tools.tool import Emit

AnswerT = TypeVar("AnswerT")


class _Question(Generic[AnswerT]):
    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.answer: AnswerT | None = None


class Questions(Generic[AnswerT]):
    """Open questions by id.

    A question is registered before its event is emitted, so no answer can come too early.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Question[AnswerT]] = {}

    async def ask(
        self, question_id: str, request: EventMsg, emit: Emit, withdrawn: EventMsg | None = None
    ) -> AnswerT | None:
        """Emit `request` and return its answer, or None after `withdraw`; waits without a time limit.

        If the wait is cancelled, `withdrawn` is emitted, so that frontends stop asking.
        """
        question = self._open[question_id] = _Question()
        try:
            await emit(request)
            await question.ended.wait()
        finally:
            if self._open.get(question_id) is question:
                del self._open[question_id]
                if withdrawn is not None:
                    await emit(withdrawn)
        return question.answer

    def answer(self, question_id: str, answer: AnswerT) -> bool:
        """Answer a question; False if it is not open (never asked, or already answered)."""
        question = self._open.pop(question_id, None)
        if question is None:
            return False
        question.answer = answer
        question.ended.set()
        return True

    def withdraw(self) -> None:
        """Close all questions without an answer."""
        for question in self._open.values():
            question.ended.set()
        self._open.clear()
