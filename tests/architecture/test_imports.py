import pytest

from architecture.imports import (
    IMPURE,
    LAYERS,
    ROWS,
    Import,
    Source,
    forbidden_violations,
    layer_violations,
    length_violations,
    name_violations,
    purity_violations,
    row_of,
    undeclared_violations,
)
from architecture.packages import ROOT, Package, import_names, read_sources, workspace

PACKAGES = workspace()
SHIPPED = tuple(source for package in PACKAGES for source in package.sources)
EVERY = tuple(
    source for folder in (".ci", "benches", "packages", "tests") for source in read_sources(ROOT / folder)
)

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


@each_package
def test_each_package_has_sources_to_check(package: Package) -> None:
    assert package.module in {source.module for source in package.sources}


def test_no_row_imports_a_higher_one() -> None:
    assert layer_violations(SHIPPED) == []


def test_pure_packages_do_no_io_and_read_no_clock() -> None:
    assert purity_violations(SHIPPED) == []


@each_package
def test_a_package_imports_only_what_it_declares(package: Package) -> None:
    names = import_names(PACKAGES)
    declared = frozenset(name for one in package.distributions for name in names.get(one, ()))
    declared |= package.optional_modules
    assert undeclared_violations(package.sources, declared) == []


def test_nothing_imports_ctypes() -> None:
    assert forbidden_violations(EVERY, frozenset({"ctypes", "_ctypes"})) == []


def test_no_source_file_is_too_long() -> None:
    assert length_violations(EVERY) == []


def test_no_module_has_a_vague_name() -> None:
    assert name_violations(EVERY) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import a.b", "a.b"),
        ("import a.b as c", "a.b"),
        ("from a import b", "a.b"),
        ("from a.b import *", "a.b"),
        ("from . import b", "top.inner.b"),
        ("from .b import c", "top.inner.b.c"),
        ("from ..b import c", "top.b.c"),
        ("def f():\n    import a.b", "a.b"),
        ("if TYPE_CHECKING:\n    from a import b", "a.b"),
        ("importlib.import_module('a.b')", "a.b"),
        ("import_module('a.b')", "a.b"),
        ("__import__('a.b')", "a.b"),
    ],
)
def test_every_form_of_import_is_found(text: str, name: str) -> None:
    assert [found.name for found in Source("top.inner.module", text).imports] == [name]


def test_a_relative_import_in_an_init_begins_at_the_package_itself() -> None:
    assert Source("top.inner", "from .b import c", is_package=True).imports == (Import("top.inner.b.c", 1),)


@pytest.mark.parametrize("upper", ROWS[1:])
def test_an_import_of_each_higher_row_is_a_violation(upper: str) -> None:
    higher = next(module for module, row in LAYERS.items() if row == upper)
    below = ROWS[ROWS.index(upper) - 1]
    lower = next(module for module, row in LAYERS.items() if row == below)
    planted = Source(f"{lower}.planted", f"if TYPE_CHECKING:\n    from {higher} import thing\n")
    assert layer_violations([planted]) == [f"{lower}.planted:2 ({below}) imports {higher}.thing ({upper})"]


@pytest.mark.parametrize("text", ["from code_core.protocol import ops", "from code_core.wire import sse"])
def test_an_import_of_the_same_or_a_lower_row_is_allowed(text: str) -> None:
    assert layer_violations([Source("code_core.patch.planted", text)]) == []


def test_a_module_without_a_row_is_a_violation() -> None:
    assert layer_violations([Source("code_core.newcomer.thing", "")]) == [
        "code_core.newcomer.thing belongs to no row"
    ]


def test_the_root_of_the_engine_imports_no_row_above_the_floor() -> None:
    assert row_of("code_core") is None
    assert layer_violations([Source("code_core", "from .session import turn", is_package=True)]) == [
        "code_core:1 (floor) imports code_core.session.turn (session)"
    ]


@pytest.mark.parametrize("module", sorted(IMPURE))
def test_io_in_a_pure_package_is_a_violation(module: str) -> None:
    text = f"from {module} import path"
    assert purity_violations([Source("code_core.wire.planted", text)]) == [
        f"code_core.wire.planted:1 imports {module}.path"
    ]
    assert purity_violations([Source("code_core.process.planted", text)]) == []


def test_an_undeclared_import_is_a_violation() -> None:
    planted = Source(
        "code_tui.planted", "import json\nimport anyio\nimport code_tui.plain\nimport textual.app"
    )
    assert undeclared_violations([planted], frozenset({"anyio"})) == [
        "code_tui.planted:4 imports textual.app, which its pyproject.toml does not declare"
    ]


@pytest.mark.parametrize("text", ["import ctypes.util", "from ctypes import CDLL", "__import__('ctypes')"])
def test_ctypes_is_a_violation(text: str) -> None:
    assert len(forbidden_violations([Source("code_core.planted", text)], frozenset({"ctypes"}))) == 1


def test_a_file_of_401_lines_is_too_long() -> None:
    assert length_violations([Source("long", "\n" * 400)]) == []
    assert length_violations([Source("long", "\n" * 401)]) == ["long has 401 lines, over 400"]


@pytest.mark.parametrize(
    "module", ["code_core.utils", "code_core.common.thing", "code_core._helpers", "misc"]
)
def test_a_vague_name_is_a_violation(module: str) -> None:
    assert name_violations([Source(module, ""), Source("code_core.commons", "")]) == [
        f"{module} is a vague name"
    ]
