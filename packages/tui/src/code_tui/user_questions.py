"""Asks the model's questions, line by line."""

from functools import partial

from code_core.protocol.answer_ops import UserAnswers, UserInputAnswer, UserInputResponse
from code_core.protocol.question_events import RequestUserInput, UserQuestion
from code_core.view.questions import user_question_text
from code_tui.asking import Again, Ask
from code_tui.elicitation import Show


async def answer_questions(request: RequestUserInput, ask: Ask, show: Show) -> UserInputAnswer:
    """Return the user's answers; an empty line skips a question, and the end of input skips the rest.

    Args:
        request: the model's questions.
        ask: asks for a line.
        show: shows a question.
    """
    answers: dict[str, UserAnswers] = {}
    for question in request.questions:
        text = user_question_text(question)
        lines = [text.title, *text.lines]
        show(lines)
        line = await _answer(question, ask, partial(show, lines))
        if line is None:
            break
        if line:
            answers[question.id] = UserAnswers(answers=[line])
    return UserInputAnswer(id=request.request_id, response=UserInputResponse(answers=answers))


async def _answer(question: UserQuestion, ask: Ask, again: Again) -> str | None:
    """The label of an option, or free text; empty for no answer, None at the end of input."""
    labels = [option.label for option in question.options]
    choices = f"1 to {len(labels)}, or in your own words" if labels else "in your own words"
    prompt = f"({choices}; Enter alone leaves it to the model): "
    while (line := await ask(prompt, again)) is not None:
        text = line.strip()
        if not (labels and text.isdecimal()):
            return text
        if 1 <= int(text[:9]) <= len(labels):
            return labels[int(text) - 1]
    return None
