"""What the model asks the user through `request_user_input`."""

from itertools import count

from code_core.protocol.answer_ops import UserInputAnswer, UserInputResponse
from code_core.protocol.question_events import RequestUserInput, UserQuestion
from code_core.session.questions.questions import Questions
from code_core.session.turn.clock import TurnClock
from code_core.tools.tool import Emit


class UserQuestions:
    """The open questions of one session. Cancelling a turn withdraws its own."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._questions: Questions[UserInputAnswer] = Questions()

    def answer(self, op: UserInputAnswer) -> bool:
        """Answer a question; False if it is not open."""
        return self._questions.answer(op.id, op)

    def for_turn(self, emit: Emit, clock: TurnClock) -> "TurnAsker":
        """Asks the questions of one turn; pauses `clock` meanwhile."""
        return TurnAsker(self._questions, self._numbers, emit, clock)


class TurnAsker:
    """See `UserAsker`."""

    def __init__(
        self, questions: Questions[UserInputAnswer], numbers: "count[int]", emit: Emit, clock: TurnClock
    ) -> None:
        self._questions = questions
        self._numbers = numbers
        self._emit = emit
        self._clock = clock

    async def ask(self, call_id: str, questions: list[UserQuestion]) -> UserInputResponse:
        """See `UserAsker.ask`."""
        request_id = f"user-input-{next(self._numbers)}"
        request = RequestUserInput(request_id=request_id, call_id=call_id, questions=questions)
        with self._clock.asking():
            answer = await self._questions.ask(request_id, request, self._emit)
        return UserInputResponse() if answer is None else answer.response
