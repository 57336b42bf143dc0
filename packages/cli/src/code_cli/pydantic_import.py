"""Makes importing pydantic cheaper in the `code` command, which would otherwise spend a tenth of its start on it.

Two steps are skipped, for which pydantic has no public switch. A version of pydantic that is built differently
is imported as usual.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_PLUGIN_LOADER = "pydantic.plugin._loader"
_SCHEMAS = "pydantic_core.core_schema"


def make_pydantic_cheaper() -> None:
    """Skip the parts of importing pydantic that are not needed here; has no effect once it has been imported."""
    _disable_plugins()
    if _SCHEMAS not in sys.modules and _SchemasFinder not in sys.meta_path:
        sys.meta_path.insert(0, _SchemasFinder)


def _disable_plugins() -> None:
    """Keep pydantic from finding plugins.

    It would look for them in every installed distribution, which takes as long as starting Python,
    and run what it finds in this process.
    """
    loader = ModuleType(_PLUGIN_LOADER)
    loader.get_plugins = tuple  # type: ignore[attr-defined] # as the module that this one replaces
    sys.modules.setdefault(_PLUGIN_LOADER, loader)


class _Dictionary(dict[str, Any]):
    """Replaces `TypedDict` as a base class; its subclasses do not know their keys."""

    def __init_subclass__(cls, total: bool = True) -> None:
        """Accept the argument of a typed dictionary."""


class _SchemasLoader(SourceFileLoader):
    """Imports pydantic's schemas as plain dictionaries.

    Their nearly 100 classes serve type checkers only. Defining them as typed dictionaries compiles each
    of their 700 annotations.
    """

    def exec_module(self, module: ModuleType) -> None:
        definitions = import_module("typing_extensions" if sys.version_info < (3, 12) else "typing")
        typed_dict = vars(definitions)["TypedDict"]
        vars(definitions)["TypedDict"] = _Dictionary
        try:
            super().exec_module(module)
        finally:
            vars(definitions)["TypedDict"] = typed_dict


class _SchemasFinder:
    """Finds only the module of pydantic's schemas, and only once."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name != _SCHEMAS:
            return None
        sys.meta_path.remove(_SchemasFinder)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _SchemasLoader(spec.loader.name, spec.loader.path)
        return spec
