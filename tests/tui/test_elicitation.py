from typing import Any

import anyio
import pytest

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
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

    async def ask(question: str) -> str | None:
        asked.append(question)
        return next(given, None)

    request = ElicitationRequest(id="q", server="s", message="Who?", requested_schema=schema)
    return anyio.run(answer_in_lines, request, ask, asked.extend), asked


def test_each_field_is_asked_for_with_its_choices_until_it_fits() -> None:
    answer, asked = answered("yes", "Ada", "old", "36", "yeah", "y", "blue", "red")
    assert answer.action == "accept"
    assert answer.content == {"name": "Ada", "age": 36, "sure": True, "color": "red"}
    assert asked[1:4] == ["s│ field name", "s│ Your name", "value: "]
    assert asked[4:7] == ["s│ field age", "value or nothing: ", "value or nothing: "]
    assert asked[7:10] == ["s│ field sure", "value (y, n): ", "value (y, n): "]
    assert asked[-4:-1] == ["s│ field color", "s│ one of red, green", "value or nothing: "]


def test_what_is_not_required_may_be_left_out() -> None:
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
def test_no_is_no_and_the_end_of_input_cancels(lines: tuple[str, ...], action: str) -> None:
    answer, _ = answered(*lines)
    assert (answer.action, answer.content) == (action, None)


def test_an_invalid_schema_asks_for_nothing() -> None:
    answer, asked = answered("y", schema={"properties": "nonsense"})
    assert (answer.content, len(asked)) == ({}, 1)


def test_what_a_server_writes_cannot_drive_the_terminal() -> None:
    _, asked = answered("y", "x", schema={"properties": {"a\x1b[2J": {"description": "\x1b]0;t\x07b"}}})
    assert asked[1:] == [r"s│ field a\x1b[2J", r"s│ \x1b]0;t\x07b", "value or nothing: "]
