"""Leaves out work that pydantic does when it is imported and that this program does not need.

It would look for plugins in every installed distribution, which takes as long as starting Python, and run what it
finds in this process. And it defines its schemas as about a hundred typed dictionaries, which takes half
as long again: each annotation, a string, is compiled for introspection. No public switch saves either.
"""

import sys
from types import ModuleType
from typing import Any

_LOADER = "pydantic.plugin._loader"


def disable_pydantic_plugins() -> None:
    """Keep pydantic from finding plugins; has no effect once it has built a model."""
    loader = ModuleType(_LOADER)
    loader.get_plugins = tuple  # type: ignore[attr-defined] # as the module that this one replaces
    sys.modules.setdefault(_LOADER, loader)


class _PlainDictionary(dict[str, Any]):
    """Replaces `TypedDict` as a base class. As with that, creating an object creates a dictionary."""

    def __init_subclass__(cls, **_options: object) -> None:
        """Accept the options of typed dictionaries."""

    def __new__(cls, *arguments: Any, **values: Any) -> Any:
        """Return an ordinary dictionary."""
        return dict(*arguments, **values)


def import_pydantic_core() -> None:
    """Import pydantic's core without its typed dictionaries, or as it is if that fails; not while other threads import."""
    if "pydantic_core" in sys.modules:
        return
    import typing

    import typing_extensions

    modules: list[Any] = [typing, typing_extensions]
    originals = [module.TypedDict for module in modules]
    for module in modules:
        module.TypedDict = _PlainDictionary
    try:
        import pydantic_core  # noqa: F401 - for its effect
    except Exception:  # noqa: BLE001 - another version may use `TypedDict` in another way; then its own import decides
        for name in [name for name in sys.modules if name.split(".")[0] == "pydantic_core"]:
            del sys.modules[name]
    finally:
        for module, original in zip(modules, originals, strict=True):
            module.TypedDict = original
