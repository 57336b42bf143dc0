import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from code_core.config.schema.base import SettingsTable, Table, UncheckedTable
from code_core.config.schema.file import ConfigFile


class Inner(SettingsTable):
    """Something inside."""

    size: int = 1
    names: list[str] = []


class Inline(SettingsTable):
    one: Inner = Inner.model_construct()
    many: dict[str, Inner] = {}


class Apart(SettingsTable):
    one: Table[Inner] = Inner.model_construct()
    many: dict[str, Table[Inner]] = {}
    later: dict[str, UncheckedTable[Inner]] = {}


def mistakes(table: type[SettingsTable], values: Any) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        table.model_validate(values)
    return caught.value.errors(include_url=False)


@pytest.mark.parametrize(
    "values",
    [
        {"one": {"size": "x"}},
        {"one": 3},
        {"one": [], "many": {"a": {"names": ["b", 3], "size": 1.5}, "c": None}},
        {"many": [{}]},
    ],
)
def test_a_table_with_its_own_validator_reports_the_same_mistakes(values: Any) -> None:
    assert mistakes(Apart, values) == mistakes(Inline, values)


def test_a_table_with_its_own_validator_gives_the_same_values() -> None:
    values = {"one": {"size": "2"}, "many": {"a": {"names": ["b"]}}}
    apart, inline = Apart.model_validate(values), Inline.model_validate(values)
    assert apart.model_dump() == inline.model_dump() | {"later": {}}
    assert isinstance(apart.many["a"], Inner)
    assert apart.one.model_fields_set == {"size"}
    assert Apart.model_validate({}).one == Inner()


def test_an_unchecked_table_may_be_invalid() -> None:
    later: Any = Apart.model_validate({"later": {"a": {"size": "x"}}}).later
    assert later == {"a": {"size": "x"}}


def test_tables_apart_are_definitions_of_the_json_schema() -> None:
    apart, inline = Apart.model_json_schema(), Inline.model_json_schema()
    assert apart["$defs"] == inline["$defs"]
    assert apart["properties"]["many"] == inline["properties"]["many"]
    assert apart["properties"]["one"]["$ref"] == "#/$defs/Inner"
    assert apart["properties"]["later"]["additionalProperties"] == {"$ref": "#/$defs/Inner"}
    assert all("__" not in name for name in ConfigFile.model_json_schema()["$defs"])


def test_only_the_validators_of_the_given_tables_are_built() -> None:
    code = """
from code_core.config.schema.base import SettingsTable
from code_core.config.schema.file import ConfigFile

def tables(cls):
    return {cls}.union(*map(tables, type.__subclasses__(cls)))

ConfigFile.model_validate({"limits": {"max_tool_calls": 3}, "profiles": {"a": {"tools": {"view_image": True}}}})
built = {table.__name__ for table in tables(SettingsTable) if table.__dict__.get("__pydantic_complete__")}
assert built == {"ConfigFile", "LimitsTable"}, built
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
