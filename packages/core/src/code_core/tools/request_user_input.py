"""`request_user_input`: the model asks the user. Arguments and output match Codex's tool."""

import json

from pydantic import BaseModel, ConfigDict, Field

from code_core.protocol.items import FunctionCall, ToolCall
from code_core.protocol.question_events import UserQuestion, UserQuestionOption
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec

MOST_QUESTIONS = 3
MOST_OPTIONS = 10
LONGEST_NAME = 64
LONGEST_LABEL = 200
LONGEST_TEXT = 2_000
LONGEST_ANSWER = 16_000
"""Characters of one answer passed to the model."""
NOBODY = "no user is available to answer: decide yourself, choose what is easiest to change later, and state your assumptions"
NO_ANSWER = "the user did not answer: decide yourself, or continue without an answer"


class _Option(BaseModel):
    model_config = ConfigDict(defer_build=True)

    label: str = Field(min_length=1, max_length=LONGEST_LABEL)
    description: str = Field("", max_length=LONGEST_TEXT)


class _Question(BaseModel):
    model_config = ConfigDict(defer_build=True)

    id: str = Field(min_length=1, max_length=LONGEST_NAME)
    header: str = Field("", max_length=LONGEST_NAME)
    question: str = Field(min_length=1, max_length=LONGEST_TEXT)
    options: list[_Option] = Field([], max_length=MOST_OPTIONS)


class _Arguments(BaseModel):
    model_config = ConfigDict(defer_build=True)

    questions: list[_Question] = Field(min_length=1, max_length=MOST_QUESTIONS)


class AskUser:
    """Asks up to three questions at once and returns the answers by question id."""

    name = "request_user_input"
    parallel_safe = False

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        text = {"type": "string"}
        option = {
            "type": "object",
            "properties": {"label": text, "description": text},
            "required": ["label"],
        }
        question = {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "in snake_case"},
                "header": {"type": "string", "description": "A word or two."},
                "question": text,
                "options": {
                    "type": "array",
                    "items": option,
                    "description": "2 or 3 answers, the best first; the user may also write another.",
                },
            },
            "required": ["id", "header", "question"],
        }
        return FunctionSpec(
            self.name,
            "Ask the user 1 to 3 short questions, only about what you can neither decide nor find out.",
            {
                "type": "object",
                "properties": {"questions": {"type": "array", "items": question}},
                "required": ["questions"],
            },
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        if not isinstance(call, FunctionCall):
            return ToolOutput("request_user_input takes JSON arguments", success=False)
        if context.asker is None:
            return ToolOutput(NOBODY, success=False)
        try:
            arguments = parse_arguments(_Arguments, call.arguments)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        ids = [one.id for one in arguments.questions]
        if len(set(ids)) < len(ids):
            return ToolOutput("each question needs a unique id", success=False)
        questions = [
            UserQuestion(
                id=one.id,
                header=one.header,
                question=one.question,
                options=[
                    UserQuestionOption(label=option.label, description=option.description)
                    for option in one.options
                ],
            )
            for one in arguments.questions
        ]
        given = (await context.asker.ask(call.call_id, questions)).answers
        answers = {
            name: {"answers": [text[:LONGEST_ANSWER] for text in given[name].answers[:MOST_OPTIONS]]}
            for name in ids
            if name in given and any(text.strip() for text in given[name].answers)
        }
        if not answers:
            return ToolOutput(NO_ANSWER)
        return ToolOutput(json.dumps({"answers": answers}, ensure_ascii=False))
