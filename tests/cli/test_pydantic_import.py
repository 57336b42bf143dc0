"""How the `code` command imports pydantic."""

import subprocess
import sys

VALIDATE = """
import sys
import typing_extensions
from typing_extensions import is_typeddict
from code_cli.pydantic_import import make_pydantic_cheaper

finders = list(sys.meta_path)
make_pydantic_cheaper()
make_pydantic_cheaper()
import pydantic, pydantic_core.core_schema as schemas

assert list(sys.meta_path) == finders, sys.meta_path
assert {cheaper} is not is_typeddict(schemas.ModelSchema)

class Pair(typing_extensions.TypedDict, total=False):
    left: typing_extensions.Required[int]
    right: int

class Model(pydantic.BaseModel):
    pairs: list[Pair]

assert is_typeddict(Pair) and Pair.__required_keys__ == {{"left"}}
assert Model.model_validate_json('{{"pairs": [{{"left": 1}}]}}').pairs == [{{"left": 1}}]
try:
    Model.model_validate({{"pairs": [{{"right": 1}}]}})
except pydantic.ValidationError as error:
    assert error.errors()[0]["loc"] == ("pairs", 0, "left")
else:
    raise AssertionError("the required key was not missed")
assert Model.model_json_schema()["$defs"]["Pair"]["required"] == ["left"]
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_schemas_are_imported_as_dictionaries_and_validation_is_the_same() -> None:
    run(VALIDATE.format(cheaper=True))


def test_an_unknown_loader_is_left_alone() -> None:
    """A zip file, a compiled module or an import hook may load the schemas."""
    other_loader = """
from importlib.machinery import PathFinder, SourceFileLoader
find_spec = PathFinder.find_spec

class Other(SourceFileLoader): ...

def find_other(name, path=None, target=None):
    spec = find_spec(name, path, target)
    if name == "pydantic_core.core_schema":
        spec.loader = Other(spec.loader.name, spec.loader.path)
    return spec

PathFinder.find_spec = find_other
"""
    run(other_loader + VALIDATE.format(cheaper=False))


def test_no_plugin_of_pydantic_is_loaded() -> None:
    run(
        "from code_cli.pydantic_import import make_pydantic_cheaper; make_pydantic_cheaper()\n"
        "import importlib.metadata as metadata\n"
        "def fail(): raise AssertionError('plugins were looked for')\n"
        "metadata.distributions = fail\n"
        "import pydantic\n"
        "class Model(pydantic.BaseModel):\n    number: int\n"
        "assert Model(number=1).number == 1"
    )
