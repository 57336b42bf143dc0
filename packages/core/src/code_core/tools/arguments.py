"""The arguments of a function call: JSON that a model wrote."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)


class BadArguments(Exception):  # noqa: N818 - told to the model, which tries again
    """The arguments are not what the tool takes; the text is for the model."""


def parse_arguments(model: type[ArgumentsT], text: str) -> ArgumentsT:
    """`text` as `model`.

    Raises:
        BadArguments: names each wrong field and what it should be.
    """
    try:
        return model.model_validate_json(text or "{}")
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
            for problem in error.errors()[:5]
        ]
        raise BadArguments(f"failed to parse function arguments: {'; '.join(problems)}") from None
