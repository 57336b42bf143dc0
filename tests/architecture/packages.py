"""The packages of the workspace, and the rules on what each must contain."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from architecture.imports import Source

ROOT = Path(__file__).parents[2]

DEMO_PROJECT = Path("code_core", "demo", "project")
"""The small project that the demo repairs: data that happens to be Python."""


def normalised(distribution: str) -> str:
    """The normalised name of a distribution (packaging specifications, "Name normalization")."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@dataclass(frozen=True)
class Package:
    """A workspace package: its `pyproject.toml`, and the files next to it."""

    name: str
    version: str
    module: str
    requirements: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    readme: str = ""
    files: frozenset[str] = frozenset()
    sources: tuple[Source, ...] = field(default=(), repr=False)

    @property
    def distributions(self) -> frozenset[str]:
        """The normalised names of the distributions that it needs."""
        return frozenset(normalised(_name_of(requirement)) for requirement in self.requirements)

    @property
    def optional_modules(self) -> frozenset[str]:
        """The import names of its extras, which so far equal the distributions' names."""
        return frozenset(normalised(_name_of(requirement)).replace("-", "_") for requirement in self.optional)


def _name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def read_package(folder: Path) -> Package:
    """Return the package in a folder."""
    document: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    project = document["project"]
    module = project["name"].replace("-", "_")
    extras = project.get("optional-dependencies", {}).values()
    inside = folder / "src" / module
    readme = folder / "README.md"
    return Package(
        name=project["name"],
        version=project["version"],
        module=module,
        requirements=tuple(project["dependencies"]),
        optional=tuple(one for extra in extras for one in extra),
        classifiers=tuple(project["classifiers"]),
        readme=readme.read_text("utf-8") if readme.exists() else "",
        files=frozenset(path.name for path in inside.iterdir()),
        sources=tuple(read_sources(folder / "src")),
    )


def read_sources(root: Path) -> Iterator[Source]:
    """Every Python file below `root`, with its module name."""
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.is_relative_to(DEMO_PROJECT):
            continue
        is_package = path.name == "__init__.py"
        parts = relative.parent.parts if is_package else relative.with_suffix("").parts
        yield Source(".".join(parts), path.read_text("utf-8"), is_package=is_package)


def workspace() -> tuple[Package, ...]:
    """Every package of the workspace."""
    return tuple(read_package(path.parent) for path in sorted(ROOT.glob("packages/*/pyproject.toml")))


def import_names(packages: Iterable[Package]) -> Mapping[str, frozenset[str]]:
    """The import names of each distribution, by its normalised name.

    The workspace's own come from their `pyproject.toml`, for an editable
    install records no import name.
    """
    names: dict[str, frozenset[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in map(normalised, distributions):
            names[distribution] = names.get(distribution, frozenset()) | {module}
    return names | {normalised(package.name): frozenset({package.module}) for package in packages}


def version_violations(packages: Iterable[Package], version: str) -> list[str]:
    """Packages with another version than `version`, and dependencies on siblings that do not pin it exactly."""
    packages = tuple(packages)
    siblings = {normalised(package.name) for package in packages}
    found = [
        f"{package.name} is at {package.version}, not {version}"
        for package in packages
        if package.version != version
    ]
    found += [
        f"{package.name} requires {requirement!r}, not =={version}"
        for package in packages
        for requirement in package.requirements
        if normalised(_name_of(requirement)) in siblings
        and requirement != f"{_name_of(requirement)}=={version}"
    ]
    return found


def publication_violations(package: Package) -> list[str]:
    """What a package lacks for the people who install it: documentation and type information."""
    top = next((source for source in package.sources if source.module == package.module), None)
    lacks = {
        "py.typed": "py.typed" not in package.files,
        "a README.md of more than 5 lines": len(package.readme.splitlines()) <= 5,
        "a docstring in __init__.py": top is None or not ast.get_docstring(top.tree),
        "the classifier Typing :: Typed": "Typing :: Typed" not in package.classifiers,
    }
    return [f"{package.name} lacks {part}" for part, missing in lacks.items() if missing]
