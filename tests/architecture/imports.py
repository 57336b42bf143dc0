"""The rules on imports: functions that return the violations in source texts."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

ROWS = ("floor", "types", "pure", "services", "session", "frontends")
"""The rows, lowest first; a row may import itself and the rows below it."""

LAYERS: Mapping[str, str] = {
    "code_cli": "frontends",
    "code_tui": "frontends",
    "code_mcp_server": "frontends",
    "code_core.headless": "frontends",
    "code_core.demo": "frontends",
    "code_core.session": "session",
    "code_core.model": "services",
    "code_core.process": "services",
    "code_core.sandbox": "services",
    "code_core.store": "services",
    "code_core.config": "services",
    "code_core.context": "services",
    "code_core.tools": "services",
    "code_core.mcp_servers": "services",
    "code_core.files": "services",
    "code_core.validation": "services",
    "code_core.logs": "services",
    "code_core.signals": "services",
    "code_core.patch": "pure",
    "code_core.safety": "pure",
    "code_core.wire": "pure",
    "code_core.acp": "pure",
    "code_core.view": "pure",
    "code_core.protocol": "types",
    "code_core.errors": "floor",
    "code_core.frozen": "floor",
    "code_core.lazy_pattern": "floor",
    "code_core.version": "floor",
    "code_mcp_client": "floor",
    "code_process_hardening": "floor",
    "code_responses_api_proxy": "floor",
}

IMPURE = frozenset(
    {
        *("anyio", "asyncio", "httpx2", "multiprocessing", "os", "select", "selectors", "shutil"),
        *("signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time"),
    }
)
"""Modules that do IO or read a clock; `pathlib` is allowed, because a path is a value."""

VAGUE = frozenset({"common", "helpers", "misc", "utils"})

MOST_LINES = 400


@dataclass(frozen=True)
class Import:
    """One imported name, in full: `from a import b` imports `a.b`."""

    name: str
    line: int

    @property
    def top(self) -> str:
        """The first part of the name: what a distribution installs."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A source file: its dotted module name and its text."""

    module: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text, filename=self.module)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, including those in functions and under `TYPE_CHECKING`."""
        return tuple(found for node in ast.walk(self.tree) for found in self._imports_of(node))

    def _imports_of(self, node: ast.AST) -> Iterator[Import]:
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(names=names):
                base = self._base(node)
                for alias in names:
                    yield Import(base if alias.name == "*" else f"{base}.{alias.name}", node.lineno)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if _imports_by_name(func):
                yield Import(name, node.lineno)
            case _:
                pass

    def _base(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self.module.split(".")
        climbed = node.level - 1 if self.is_package else node.level
        return ".".join([*parts[: len(parts) - climbed], *([node.module] if node.module else [])])


def _imports_by_name(func: ast.expr) -> bool:
    match func:
        case ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"):
            return True
        case _:
            return False


def row_of(name: str) -> str | None:
    """The row of a module or of a name in it, or None if it does not belong to a row."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((LAYERS[prefix] for prefix in prefixes if prefix in LAYERS), None)


def layer_violations(sources: Iterable[Source]) -> list[str]:
    """Imports from a lower row to a higher one, and modules that belong to no row."""
    found = []
    for source in sources:
        row = row_of(source.module)
        if row is None:
            # `code_core/__init__.py` is below everything, because importing any module runs it.
            if source.module != "code_core":
                found.append(f"{source.module} belongs to no row")
            row = "floor"
        for imported in source.imports:
            target = row_of(imported.name)
            if target is not None and ROWS.index(target) > ROWS.index(row):
                found.append(f"{source.module}:{imported.line} ({row}) imports {imported.name} ({target})")
    return found


def purity_violations(sources: Iterable[Source]) -> list[str]:
    """Imports of modules that do IO or read a clock, in the pure packages."""
    return forbidden_violations((source for source in sources if row_of(source.module) == "pure"), IMPURE)


def forbidden_violations(sources: Iterable[Source], forbidden: frozenset[str]) -> list[str]:
    """Imports of a forbidden top-level module, or of something in it."""
    return [
        f"{source.module}:{imported.line} imports {imported.name}"
        for source in sources
        for imported in source.imports
        if imported.top in forbidden
    ]


def undeclared_violations(sources: Iterable[Source], declared: frozenset[str]) -> list[str]:
    """Imports from outside the standard library, the package itself and the `declared` import names."""
    return [
        f"{source.module}:{imported.line} imports {imported.name}, which its pyproject.toml does not declare"
        for source in sources
        for imported in source.imports
        if imported.top not in {*sys.stdlib_module_names, *declared, source.module.partition(".")[0]}
    ]


def length_violations(sources: Iterable[Source]) -> list[str]:
    """Files that are too long to contain only one concept."""
    return [
        f"{source.module} has {lines} lines, over {MOST_LINES}"
        for source in sources
        if (lines := len(source.text.splitlines())) > MOST_LINES
    ]


def name_violations(sources: Iterable[Source]) -> list[str]:
    """Modules and folders with a meaningless name."""
    return [
        f"{source.module} is a vague name"
        for source in sources
        if any(part.strip("_") in VAGUE for part in source.module.split("."))
    ]
