import subprocess
import sys

import pytest

USE = """
import typing
import typing_extensions
import pydantic
from pydantic_core import CoreConfig, ErrorDetails, SchemaValidator, core_schema

assert typing_extensions.is_typeddict(typing_extensions.TypedDict("T", {"a": int}))
assert typing_extensions.is_typeddict(typing.TypedDict("T", {"a": int}))

class Options(typing_extensions.TypedDict, total=False):
    depth: int

class Model(pydantic.BaseModel):
    model_config = {"str_max_length": 3}
    name: str
    options: Options = {}

assert Model.model_validate({"name": "abc", "options": {"depth": "2"}}).options == {"depth": 2}
try:
    Model(name="abcd")
except pydantic.ValidationError as error:
    assert error.errors()[0]["type"] == "string_too_long"
else:
    raise AssertionError
assert SchemaValidator(core_schema.int_schema(ge=1)).validate_python("2") == 2
assert type(CoreConfig(title="a")) is dict
"""
IMPORT = "from code_cli.pydantic_imports import _PlainDictionary, import_pydantic_core\n"


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_pydantic_works_without_the_typed_dictionaries_of_its_core() -> None:
    run(
        IMPORT
        + "import_pydantic_core()\n"
        + USE
        + "assert issubclass(CoreConfig, _PlainDictionary)\nassert not typing_extensions.is_typeddict(ErrorDetails)\n"
    )


@pytest.mark.parametrize("problem", ["TypeError('an unknown option')", "ImportError('half')"])
def test_a_core_that_needs_typed_dictionaries_is_imported_as_it_is(problem: str) -> None:
    run(
        IMPORT
        + f"""
def refuse(cls, **options):
    if cls.__name__ == "ErrorDetails":  # defined late
        raise {problem}

_PlainDictionary.__init_subclass__ = classmethod(refuse)
import_pydantic_core()
"""
        + USE
        + "assert typing_extensions.is_typeddict(ErrorDetails)\n"
    )


def test_a_core_that_is_already_imported_stays() -> None:
    run(
        "import pydantic_core\nbefore = pydantic_core\n"
        + IMPORT
        + "import_pydantic_core()\nimport pydantic_core\nassert pydantic_core is before\n"
        + USE
    )
