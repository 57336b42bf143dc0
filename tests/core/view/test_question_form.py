"""The model's questions as a form, and the answers in a submitted one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.question_events import RequestUserInput, UserQuestion, UserQuestionOption
from code_core.view.question_form import form_answer, form_schema, form_text, no_answer

REQUEST = RequestUserInput(
    request_id="user-input-1",
    call_id="c",
    questions=[
        UserQuestion(
            id="color",
            header="Colour\u202e",
            question="Which?\n2.",
            options=[UserQuestionOption(label="Red", description="fire"), UserQuestionOption(label="Red")],
        ),
        UserQuestion(id="name", question="Which name?"),
    ],
)

TEXT = st.text("12. Red", max_size=8)


def answers(content: dict[str, Any]) -> dict[str, list[str]]:
    given_ = form_answer(REQUEST, content)
    assert given_.id == "user-input-1"
    return {name: one.answers for name, one in given_.response.answers.items()}


def test_every_line_from_the_model_is_marked() -> None:
    text = form_text(REQUEST)
    assert text.title == "The model asks you:"
    assert text.lines == (
        "1.",
        "the model│ Which?",
        "the model│ 2.",
        "the model│ 1. Red: fire",
        "the model│ 2. Red",
        "2.",
        "the model│ Which name?",
    )


def test_each_question_has_its_own_fields_whatever_its_id() -> None:
    schema = form_schema(REQUEST)
    assert list(schema["properties"]) == ["choice_1", "words_1", "words_2"]
    assert schema["properties"]["choice_1"]["enum"] == ["1. Red", "2. Red"]
    assert "\u202e" not in str(schema)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"choice_1": "2. Red"}, {"color": ["Red"]}),
        ({"choice_1": "2. Red", "words_1": " green "}, {"color": ["green"]}),
        ({"choice_1": "3. Red", "words_1": " "}, {}),
        ({"words_2": "Otto", "color": "Red"}, {"name": ["Otto"]}),
        ({"choice_1": ["2. Red"], "words_2": 7}, {}),
        ({}, {}),
    ],
)
def test_free_text_takes_precedence_over_a_choice(
    content: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert answers(content) == expected
    assert no_answer(REQUEST).response.answers == {}


@given(
    st.dictionaries(
        st.sampled_from(["choice_1", "words_1", "words_2", "x"]),
        st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT) | st.just({}),
    )
)
def test_any_content_can_be_parsed(content: dict[str, Any]) -> None:
    assert set(answers(content)) <= {"color", "name"}
