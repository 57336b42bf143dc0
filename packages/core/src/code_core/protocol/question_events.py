"""Events in which the model asks the user, or proposes a plan."""

from typing import Literal

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import FilePath, Text


class UserQuestionOption(ProtocolModel):
    """An answer that the model suggests."""

    label: Text
    description: Text = ""


class UserQuestion(ProtocolModel):
    """A question from the model; the user may choose an option or answer in their own words.

    Attributes:
        id: the key of the answer.
        header: the question in a word or two.
        options: suggested answers; null for a free-text question.
    """

    id: Text
    header: Text = ""
    question: Text
    options: list[UserQuestionOption] = []


class RequestUserInput(ProtocolModel):
    """The model asks the user a question; answered by `user_input_answer` with the `request_id`.

    Only frontends that declare that they can ask get it. The question is withdrawn when its turn ends.
    """

    type: Literal["request_user_input"] = "request_user_input"
    request_id: Text
    call_id: Text
    questions: list[UserQuestion]


class PlanProposed(ProtocolModel):
    """A turn in plan mode has ended with a plan in Markdown; answered by `resolve_plan` with the same `id`.

    The plan is open until it is answered, the next turn begins or plan mode ends; a resumed session
    reports it again. The message that contains the plan was an `agent_message`.
    """

    type: Literal["plan_proposed"] = "plan_proposed"
    id: Text
    plan: Text


class CustomPromptInfo(ProtocolModel):
    """One of the user's own prompts, before its arguments are filled in."""

    name: Text
    path: FilePath
    description: Text
    argument_hint: Text | None = None
    content: Text


class ListCustomPromptsResponse(ProtocolModel):
    """The prompts in `<home>/prompts`, sorted by name, and warnings about those that cannot be read."""

    type: Literal["list_custom_prompts_response"] = "list_custom_prompts_response"
    custom_prompts: list[CustomPromptInfo]
    warnings: list[Text] = []
