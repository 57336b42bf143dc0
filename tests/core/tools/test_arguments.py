import pytest
from pydantic import BaseModel

from code_core.tools.arguments import BadArguments, parse_arguments


class Arguments(BaseModel):
    count: int = 1
    names: list[int] = []


def test_missing_arguments_have_defaults() -> None:
    assert parse_arguments(Arguments, "") == parse_arguments(Arguments, "{}") == Arguments()
    assert parse_arguments(Arguments, '{"count": 2}').count == 2


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('{"count": "x"}', ["count: Input should be a valid integer"]),
        ('{"count": "x", "names": [1, "y"]}', ["count: Input", "; names.1: Input"]),
        ("{", ["arguments: Invalid JSON"]),
        ("5", ["arguments: Input should be an object"]),
    ],
)
def test_each_invalid_field_is_named(text: str, problems: list[str]) -> None:
    with pytest.raises(BadArguments) as caught:
        parse_arguments(Arguments, text)
    message = str(caught.value)
    assert message.startswith(f"failed to parse function arguments: {problems[0]}")
    assert all(problem in message for problem in problems)
    assert "https://" not in message
    assert caught.value.__suppress_context__


def test_at_most_five_problems_are_named() -> None:
    with pytest.raises(BadArguments) as caught:
        parse_arguments(Arguments, '{"names": ["a", "b", "c", "d", "e", "f", "g"]}')
    assert str(caught.value).count("names.") == 5
