import tomllib
from dataclasses import replace

import pytest

from architecture.imports import Source
from architecture.packages import (
    ROOT,
    Package,
    import_names,
    publication_violations,
    version_violations,
    workspace,
)
from code_core.version import VERSION

PACKAGES = workspace()

COMPLETE = Package(
    name="code-planted",
    version="1.2.3",
    module="code_planted",
    requirements=("anyio>=4",),
    classifiers=("Typing :: Typed",),
    readme="line\n" * 6,
    files=frozenset({"__init__.py", "py.typed"}),
    sources=(Source("code_planted", '"""What it is."""', is_package=True),),
)


def test_the_root_and_the_engine_have_the_same_version() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert root["project"]["version"] == VERSION


def test_every_package_has_the_same_version_and_pins_its_siblings_to_it() -> None:
    assert version_violations(PACKAGES, VERSION) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_each_package_can_be_published(package: Package) -> None:
    assert publication_violations(package) == []


def test_every_declared_distribution_has_an_import_name() -> None:
    names = import_names(PACKAGES)
    declared = {distribution for package in PACKAGES for distribution in package.distributions}
    assert declared - names.keys() == set()


def test_a_package_with_another_version_is_a_violation() -> None:
    assert version_violations([COMPLETE], "1.2.4") == ["code-planted is at 1.2.3, not 1.2.4"]


@pytest.mark.parametrize(
    "pin", ["code-planted", "code-planted>=1.2.3", "code-planted==1.2.2", "code_planted~=1.2"]
)
def test_a_sibling_pinned_to_another_version_is_a_violation(pin: str) -> None:
    sibling = replace(COMPLETE, name="code-sibling", requirements=(pin,))
    assert version_violations([COMPLETE, sibling], "1.2.3") == [f"code-sibling requires {pin!r}, not ==1.2.3"]


def test_a_sibling_pinned_to_the_version_is_allowed() -> None:
    sibling = replace(COMPLETE, name="code-sibling", requirements=("code-planted==1.2.3",))
    assert version_violations([COMPLETE, sibling], "1.2.3") == []


def test_a_complete_package_lacks_nothing() -> None:
    assert publication_violations(COMPLETE) == []


@pytest.mark.parametrize(
    ("planted", "lacks"),
    [
        (replace(COMPLETE, files=frozenset({"__init__.py"})), "py.typed"),
        (replace(COMPLETE, readme="line\n" * 5), "a README.md of more than 5 lines"),
        (
            replace(COMPLETE, sources=(Source("code_planted", "x = 1", is_package=True),)),
            "a docstring in __init__.py",
        ),
        (replace(COMPLETE, sources=()), "a docstring in __init__.py"),
        (replace(COMPLETE, classifiers=()), "the classifier Typing :: Typed"),
    ],
)
def test_each_missing_part_is_a_violation(planted: Package, lacks: str) -> None:
    assert publication_violations(planted) == [f"code-planted lacks {lacks}"]


def test_a_requirement_names_its_distribution_whatever_follows() -> None:
    requirements = ("mcp_types>=2.3,<3", "anyio[trio]>=4", "psutil ; os_name == 'nt'", "click")
    assert replace(COMPLETE, requirements=requirements).distributions == {
        "mcp-types",
        "anyio",
        "psutil",
        "click",
    }
