"""The base class of all tables in the settings file."""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from code_core.protocol.model import ProtocolModel


def _spelled(value: Any) -> Any:
    """Convert a number or a boolean to its TOML spelling, because users often omit the quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Value = Annotated[str, BeforeValidator(_spelled)]
"""The value of a variable, a header or a parameter."""


class SettingsTable(ProtocolModel):
    """A table of the settings file. Field descriptions are the source of the reference page and the JSON Schema."""

    left_alone: ClassVar[frozenset[str]] = frozenset()
    """Keys that are accepted without effect, because other programs read the same file."""


class _Apart:
    """Marks tables that are not part of the validator of the table around them.

    Args:
        checked: whether to validate them, with a validator of their own that is built for the first one.
    """

    def __init__(self, *, checked: bool) -> None:
        self._checked = checked

    def __get_pydantic_core_schema__(self, table: type[SettingsTable], _: GetCoreSchemaHandler) -> CoreSchema:
        metadata = {"table": table}
        if not self._checked:
            return core_schema.any_schema(metadata=metadata)
        return core_schema.no_info_plain_validator_function(
            lambda value: table.model_validate(value),  # noqa: PLW0108 - the bare method would complete the table
            metadata=metadata,
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        table = schema["metadata"]["table"]
        ref = f"{table.__module__}.{table.__qualname__}:{id(table)}"  # as pydantic writes it
        return handler(core_schema.definitions_schema({**table.__pydantic_core_schema__, "ref": ref}, []))


T = TypeVar("T", bound=SettingsTable)
Table = Annotated[T, _Apart(checked=True)]
"""A table whose validator is built when there is one to validate, because most files contain few tables."""
UncheckedTable = Annotated[T, _Apart(checked=False)]
"""A table that may be invalid."""
