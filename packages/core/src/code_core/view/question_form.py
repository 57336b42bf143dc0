"""Combines the model's questions into one form, for frontends with forms."""

from collections.abc import Mapping
from typing import Any

from code_core.protocol.answer_ops import UserAnswers, UserInputAnswer, UserInputResponse
from code_core.protocol.question_events import RequestUserInput, UserQuestion
from code_core.view.questions import QuestionText, user_question_text
from code_core.view.visible import visible, visible_line


def form_text(request: RequestUserInput) -> QuestionText:
    """Return all questions, numbered as in the form if there are several."""
    lines: list[str] = []
    for number, question in enumerate(request.questions, 1):
        text = user_question_text(question)
        lines += [*([f"{number}."] if len(request.questions) > 1 else []), *text.lines]
    return QuestionText("The model asks you:", tuple(lines))


def form_schema(request: RequestUserInput) -> dict[str, Any]:
    """Return the JSON Schema of the form: a choice and a free-text field for each question, all optional."""
    properties: dict[str, Any] = {}
    for number, question in enumerate(request.questions, 1):
        title = visible_line(question.header) or f"Answer {number}"
        words = {"type": "string", "title": f"{title} (in your own words)" if question.options else title}
        if question.options:
            properties[f"choice_{number}"] = {"type": "string", "title": title, "enum": _choices(question)}
        properties[f"words_{number}"] = words
    return {"type": "object", "properties": properties}


def form_answer(request: RequestUserInput, content: Mapping[str, Any]) -> UserInputAnswer:
    """Convert a submitted form; free text takes precedence over the choice."""
    answers: dict[str, UserAnswers] = {}
    for number, question in enumerate(request.questions, 1):
        words, choice = content.get(f"words_{number}"), content.get(f"choice_{number}")
        choices = _choices(question)
        if isinstance(words, str) and words.strip():
            answers[question.id] = UserAnswers(answers=[words.strip()])
        elif choice in choices:
            answers[question.id] = UserAnswers(answers=[question.options[choices.index(choice)].label])
    return UserInputAnswer(id=request.request_id, response=UserInputResponse(answers=answers))


def no_answer(request: RequestUserInput) -> UserInputAnswer:
    """Return the answer of a user who answered nothing."""
    return UserInputAnswer(id=request.request_id, response=UserInputResponse())


def _choices(question: UserQuestion) -> list[str]:
    return [f"{number}. {visible(option.label)}" for number, option in enumerate(question.options, 1)]
