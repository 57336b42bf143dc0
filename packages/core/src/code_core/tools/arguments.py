"""Parses function call arguments: JSON written by a model."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)


class BadArguments(Exception):  # noqa: N818 - reported to the model, which tries again
    """Invalid arguments; the message is for the model."""


def parse_arguments(model: type[ArgumentsT], text: str) -> ArgumentsT:
    """Parse `text` as `model`.

    Raises:
        BadArguments: names each invalid field and what it should be.
    """
    try:
        return model.model_validate_json(text or "{}")
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
            for problem in error.errors()[:5]
        ]
        raise BadArguments(f"failed to parse function arguments: {'; '.join(problems)}") from None
