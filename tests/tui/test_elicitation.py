from typing import Any

import anyio
import pytest

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_tui.asking import Again
from code_tui.elicitation import answer_in_lines

SCHEMA = {
    "properties": {
        "name": {"type": "string", "description": "Your name"},
        "age": {"type": "integer"},
        "sure": {"type": "boolean"},
        "color": {"type": "string", "enum": ["red", "green"]},
    },
    "required": ["name", "sure"],
}


def answered(*lines: str, schema: dict[str, Any] = SCHEMA) -> tuple[ResolveElicitation, list[str]]:
    asked: list[str] = []
    given = iter(lines)

    async def ask(question: str, _again: Again = lambda: None, /) -> str | None:
        asked.append(question)
        return next(given, None)

    request = ElicitationRequest(id="q", server="s", message="Who?", requested_schema=schema)
    return anyio.run(answer_in_lines, request, ask, asked.extend), asked


def test_each_field_is_asked_for_with_its_choices_until_it_is_valid() -> None:
    answer, asked = answered("yes", "Ada", "old", "36", "yeah", "y", "blue", "red")
    assert answer.action == "accept"
    assert answer.content == {"name": "Ada", "age": 36, "sure": True, "color": "red"}
    assert asked[1:4] == ["s│ field name", "s│ Your name", "value: "]
    assert asked[4] == "s│ field age"
    assert asked[5:8] == [
        "value (a whole number) or nothing: ",
        "enter a whole number",
        "value (a whole number) or nothing: ",
    ]
    assert asked[8:12] == ["s│ field sure", "value (y, n): ", "enter y or n", "value (y, n): "]
    assert asked[12:15] == ["s│ field color", "s│ 1. red", "s│ 2. green"]
    prompt = "value (1 to 2) or nothing: "
    assert asked[15:] == [prompt, "enter a number from 1 to 2", prompt]


CHOICES = [{"const": "a", "title": "Letter A"}, {"const": "b", "title": "Letter B"}]


@pytest.mark.parametrize(
    ("schema", "lines", "value"),
    [
        ({"type": "string", "oneOf": CHOICES}, ["c", "Letter A"], "a"),
        ({"type": "string", "oneOf": CHOICES}, ["3", "0", "2"], "b"),
        ({"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]}, ["Green"], "g"),
        ({"type": "string", "enum": ["2", "1"]}, ["1"], "1"),
        ({"type": "array", "items": {"enum": ["r", "g", "b"]}}, ["r, x", "g,3,g"], ["g", "b"]),
        ({"type": "array", "items": {"anyOf": CHOICES}, "minItems": 1}, ["", "1, Letter B"], ["a", "b"]),
        ({"type": "array", "items": {"enum": ["r", "g"]}, "maxItems": 1}, ["1,2", "2"], ["g"]),
        ({"type": "integer", "minimum": 18, "maximum": 99}, ["17", "100", "18"], 18),
        ({"type": "number", "minimum": 0.5}, ["0.4", "nan", "inf", "0.5"], 0.5),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["a", "abcd", "abc"], "abc"),
        ({"type": "string", "minLength": "two", "enum": 7}, ["a"], "a"),
    ],
)
def test_a_value_has_the_type_that_the_schema_requires(
    schema: dict[str, Any], lines: list[str], value: object
) -> None:
    form = {"properties": {"field": schema}, "required": ["field"]}
    answer, asked = answered("y", *lines, schema=form)
    assert answer.content == {"field": value}
    assert len([line for line in asked if line.endswith(": ")]) == 1 + len(lines)


def test_optional_fields_may_be_left_out() -> None:
    answer, _ = answered("y", "Ada", "", "n", "")
    assert answer.content == {"name": "Ada", "sure": False}


@pytest.mark.parametrize(
    ("lines", "action"),
    [
        (("n",), "decline"),
        (("",), "cancel"),
        (("nope", "n"), "decline"),
        (("yesterday",), "cancel"),
        ((), "cancel"),
        (("y", "Ada"), "cancel"),
    ],
)
def test_no_declines_and_the_end_of_input_cancels(lines: tuple[str, ...], action: str) -> None:
    answer, _ = answered(*lines)
    assert (answer.action, answer.content) == (action, None)


def test_an_invalid_schema_asks_for_nothing() -> None:
    answer, asked = answered("y", schema={"properties": "nonsense"})
    assert (answer.content, len(asked)) == ({}, 1)


def test_a_servers_text_cannot_control_the_terminal() -> None:
    _, asked = answered("y", "x", schema={"properties": {"a\x1b[2J": {"description": "\x1b]0;t\x07b"}}})
    assert asked[1:] == [r"s│ field a\x1b[2J", r"s│ \x1b]0;t\x07b", "value or nothing: "]
