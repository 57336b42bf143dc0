"""One field of an MCP server's form: its prompt, and how to parse what the user enters.

Source: the schemas of `elicitation/create`, MCP 2025-06-18 to 2026-07-28. Patterns and formats are left to
the server: a pattern can take hours to match.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from code_core.frozen import frozen
from code_core.view.answers import parse_yes_or_no

_KINDS = {"boolean": " (y, n)", "integer": " (a whole number)", "number": " (a number)"}


class FieldError(ValueError):
    """The input is not a valid value for the field; the message says what is."""


@frozen
class Choice:
    """A value that a field can have, and its title."""

    value: Any
    title: str


@frozen
class FormField:
    """A field of a form.

    Attributes:
        name: its key in the answer.
        schema: the JSON schema of its value.
        required: whether it must have a value.
    """

    name: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def lines(self) -> list[str]:
        """The server's description of the field, line by line: its name, its meaning and its choices."""
        about = self.schema.get("description") or self.schema.get("title")
        texts = [f"field {self.name}", *([str(about)] if about else [])]
        return texts + [f"{number}. {choice.title}" for number, choice in enumerate(self._choices, 1)]

    @property
    def prompt(self) -> str:
        """What to enter; contains no text of the server, which could imitate another prompt."""
        optional = "" if self.required else " or nothing"
        if not self._choices:
            return f"value{_KINDS.get(str(self.schema.get('type')), '')}{optional}: "
        if self._takes_several:
            return f"values (1 to {len(self._choices)}, separated by commas){optional}: "
        return f"value (1 to {len(self._choices)}){optional}: "

    def parse(self, text: str) -> Any:
        """Return the value that the user entered as `text`, or None to leave the field out.

        Raises:
            FieldError: the input is not valid.
        """
        text = text.strip()
        if not text and not self.required:
            return None
        if self._takes_several:
            return self._several(text)
        if self._choices:
            return self._chosen(text)
        match self.schema.get("type"):
            case "boolean":
                value = {"true": True, "false": False}.get(text.lower(), parse_yes_or_no(text))
                if value is None:
                    raise FieldError("enter y or n")
                return value
            case "integer" | "number" as kind:
                return self._number(text, whole=kind == "integer")
            case _:
                self._check(len(text), "minLength", "maxLength", " characters")
                return text

    @property
    def _takes_several(self) -> bool:
        return self.schema.get("type") == "array"

    @property
    def _choices(self) -> list[Choice]:
        items = self.schema.get("items")
        return _choices(items if self._takes_several and isinstance(items, dict) else self.schema)

    def _several(self, text: str) -> list[Any]:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        values = [self._chosen(part) for part in parts] if self._choices else parts
        unique = [value for number, value in enumerate(values) if value not in values[:number]]
        self._check(len(unique), "minItems", "maxItems", " values")
        return unique

    def _chosen(self, text: str) -> Any:
        choices = self._choices
        for choice in choices:
            if text in {str(choice.value), choice.title}:
                return choice.value
        if text.isdecimal() and 1 <= int(text[:9]) <= len(choices):
            return choices[int(text[:9]) - 1].value
        raise FieldError(f"enter a number from 1 to {len(choices)}")

    def _number(self, text: str, *, whole: bool) -> int | float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            raise FieldError("enter a whole number" if whole else "enter a number") from None
        if not math.isfinite(value):
            raise FieldError("enter a number")
        self._check(value, "minimum", "maximum", "")
        return value

    def _check(self, size: float, least: str, most: str, unit: str) -> None:
        """Check a size against the limits that the schema has under these keys."""
        for key, word, fits in ((least, "at least", size.__ge__), (most, "at most", size.__le__)):
            limit = self.schema.get(key)
            if isinstance(limit, int | float) and fits(limit) is False:
                raise FieldError(f"enter {word} {limit:g}{unit}")


def fields_of(schema: Mapping[str, Any]) -> list[FormField]:
    """Return the fields of a form, in order; a field without a valid schema accepts any value."""
    properties, required = schema.get("properties"), schema.get("required")
    return [
        FormField(
            str(name), one if isinstance(one, dict) else {}, isinstance(required, list) and name in required
        )
        for name, one in (properties if isinstance(properties, dict) else {}).items()
    ]


def _choices(schema: Mapping[str, Any]) -> list[Choice]:
    for key in ("oneOf", "anyOf"):
        if isinstance(listed := schema.get(key), list):
            titled = [one for one in listed if isinstance(one, dict) and "const" in one]
            return [Choice(one["const"], str(one.get("title") or one["const"])) for one in titled]
    values, names = schema.get("enum"), schema.get("enumNames")
    if not isinstance(values, list):
        return []
    titles: Sequence[Any] = names if isinstance(names, list) and len(names) == len(values) else values
    return [Choice(value, str(title)) for value, title in zip(values, titles, strict=True)]
