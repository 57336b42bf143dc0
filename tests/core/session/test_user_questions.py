"""`request_user_input`: the model asks, the user answers, or nobody can be asked."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.answer_ops import UserAnswers, UserInputAnswer, UserInputResponse
from code_core.protocol.items import FunctionCall
from code_core.protocol.ops import Interrupt
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.journal import MemoryJournal
from code_core.tools.request_user_input import LONGEST_ANSWER, MOST_OPTIONS, NOBODY
from code_core.wire.response_events import ItemDone
from core.session.scripted import (
    Reading,
    ScriptedModel,
    Step,
    answer,
    completed,
    converse,
    event_order,
    scripted_config,
    scripted_conversation,
    text,
)

ASKS = Parts(asks_user=True)
OPTIONS = [{"label": "A", "description": "first"}, {"label": "B", "description": ""}]


def question(name: str = "q", **more: Any) -> dict[str, Any]:
    return {"id": name, "header": "H", "question": "Which?", **more}


def asks(*questions: Any, call_id: str = "c1") -> list[Step]:
    call = FunctionCall(
        name="request_user_input", arguments=json.dumps({"questions": questions}), call_id=call_id
    )
    return [ItemDone(call, event_order()), completed()]


def given(request: Any, **answers: str) -> UserInputAnswer:
    by_id = {name: UserAnswers(answers=[words]) for name, words in answers.items()}
    return UserInputAnswer(id=request.request_id, response=UserInputResponse(answers=by_id))


def output(reading: Reading) -> str:
    items = [one.item for one in reading.conversation.session.history.items]
    return str(items[-2].output)  # type: ignore[union-attr] # before the model's last words


def test_the_model_gets_the_answers_in_codexs_form(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("request_user_input")
        assert [one.model_dump(exclude_defaults=True) for one in request.questions] == [
            {"id": "q", "header": "H", "question": "Which?", "options": [OPTIONS[0], {"label": "B"}]},
            {"id": "r", "header": "H", "question": "Which?"},
        ]
        await reading.send(given(request, q="é", other="no question"))
        await reading.ended()
        assert output(reading) == '{"answers": {"q": {"answers": ["é"]}}}'
        await reading.send(given(request, q="B"))
        assert "no question with the id" in (await reading.until("warning")).message

    model = ScriptedModel(asks(question(options=OPTIONS), question("r")), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


def test_each_question_has_its_own_id(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        first = await reading.until("request_user_input")
        await reading.send(given(first, q="one"))
        second = await reading.until("request_user_input")
        assert first.request_id != second.request_id
        await reading.send(given(first, q="late"))
        await reading.until("warning")
        await reading.send(given(second, q="two"))
        await reading.ended()
        assert "two" in output(reading)

    model = ScriptedModel(asks(question()), asks(question(), call_id="c2"), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


@pytest.mark.parametrize("answers", [{}, {"q": ""}, {"q": "  "}, {"other": "x"}])
def test_an_unanswered_question_is_not_a_failure_of_a_tool(config: Config, answers: dict[str, str]) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.send(given(await reading.until("request_user_input"), **answers))
        await reading.ended()
        assert "the user did not answer" in output(reading)
        assert "tool_call_failed" not in reading.kinds

    model = ScriptedModel(asks(question()), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


def test_without_a_user_the_tool_is_not_offered_and_a_call_is_answered_immediately(
    config: Config,
) -> None:
    model = ScriptedModel(asks(question()), answer("ok"))

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        assert output(reading) == NOBODY
        assert "request_user_input" not in reading.kinds
        assert "request_user_input" not in {one.name for one in model.prompts[0].tools}
        await reading.send(UserInputAnswer(id="user-input-1", response=UserInputResponse()))
        await reading.until("warning")

    converse(scripted_conversation(config, model), script)


def test_an_interrupt_withdraws_the_question_and_a_late_answer_changes_nothing(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("request_user_input")
        late = reading.conversation.follow()
        kinds = []
        while "request_user_input" not in kinds:
            kinds.append((await anext(late)).msg.type)
        late.close()
        await reading.send(Interrupt())
        assert (await reading.ended()).type == "turn_aborted"
        after = reading.conversation.follow()
        assert (await anext(after)).msg.type == "session_snapshot"
        assert after.waiting == 0
        await reading.send(given(request, q="A"))
        await reading.until("warning")
        await reading.send(text("go on"))
        await reading.ended()

    model = ScriptedModel(asks(question()), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


def test_a_restored_session_has_no_open_question(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("request_user_input")

    model = ScriptedModel(asks(question()))
    converse(scripted_conversation(config, model, parts=Parts(asks_user=True, journal=journal)), script)

    async def resumed(reading: Reading) -> None:
        await reading.send(text("go on"))
        await reading.ended()
        assert "request_user_input" not in reading.kinds

    again = ScriptedModel(answer("ok"))
    state = SessionState.from_entries(journal.entries)
    converse(scripted_conversation(config, again, parts=ASKS, state=state), resumed)
    assert "aborted" in again.request_text()


def test_waiting_for_the_user_pauses_the_turns_clock(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("limits.max_wall_seconds", 0.5),))

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("request_user_input")
        await anyio.sleep(1)
        await reading.send(given(request, q="A"))
        assert (await reading.ended()).type == "task_complete"

    model = ScriptedModel(asks(question()), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


@pytest.mark.parametrize(
    ("questions", "problem"),
    [
        ([], "questions"),
        ([question(str(number)) for number in range(4)], "questions"),
        ([question(), question()], "a unique id"),
        ([question("")], "id"),
        ([question(question="x" * 3_000)], "question"),
        ([question(options=[{"label": "x"}] * 11)], "options"),
        ([question(options=[{"label": ""}])], "label"),
    ],
)
def test_questions_that_cannot_be_shown_are_rejected(config: Config, questions: Any, problem: str) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        assert problem in output(reading)
        assert "request_user_input" not in reading.kinds
        assert "tool_call_failed" in reading.kinds

    model = ScriptedModel(asks(*questions), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)


def test_answers_are_cut_and_limited_in_number(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("request_user_input")
        many = UserAnswers(answers=["x" * (LONGEST_ANSWER + 5), *map(str, range(MOST_OPTIONS))])
        response = UserInputResponse(answers={"q": many})
        await reading.send(UserInputAnswer(id=request.request_id, response=response))
        await reading.ended()
        first, *others = json.loads(output(reading))["answers"]["q"]["answers"]
        assert first == "x" * LONGEST_ANSWER
        assert others == [str(number) for number in range(MOST_OPTIONS - 1)]

    model = ScriptedModel(asks(question()), answer("ok"))
    converse(scripted_conversation(config, model, parts=ASKS), script)
