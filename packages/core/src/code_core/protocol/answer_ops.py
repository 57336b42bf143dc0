"""Operations that answer the model's questions and its proposed plans."""

from typing import Literal

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import Text


class ResolvePlan(ProtocolModel):
    """Answer a `plan_proposed`.

    `accept` ends plan mode and starts the work, `revise` asks for another plan, and `reject` starts nothing.
    If the plan is not open, the operation fails with an `error` whose code is `no_plan`.

    Attributes:
        id: the plan's `id`.
        action: plan mode continues unless the plan is accepted.
        feedback: what the user says about the plan, for the model.
    """

    type: Literal["resolve_plan"] = "resolve_plan"
    id: Text
    action: Literal["accept", "revise", "reject"]
    feedback: Text | None = None


class UserAnswers(ProtocolModel):
    """The user's answer to one question: labels of options, or their own words."""

    answers: list[Text]


class UserInputResponse(ProtocolModel):
    """The answers, keyed by question id; a question without one was not answered."""

    answers: dict[Text, UserAnswers] = {}


class UserInputAnswer(ProtocolModel):
    """Answer a `request_user_input`; `id` is its `request_id`."""

    type: Literal["user_input_answer"] = "user_input_answer"
    id: Text
    response: UserInputResponse
