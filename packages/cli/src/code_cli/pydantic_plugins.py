"""Keeps pydantic from loading plugins.

It would look for them in every installed distribution, which takes as long as starting Python,
and run what it finds in this process. It has no public switch that also saves the search's imports.
"""

import sys
from types import ModuleType

_LOADER = "pydantic.plugin._loader"


def disable_pydantic_plugins() -> None:
    """Let pydantic find no plugins; without effect once it has built a model."""
    loader = ModuleType(_LOADER)
    loader.get_plugins = tuple  # type: ignore[attr-defined] # as the module that this one replaces
    sys.modules.setdefault(_LOADER, loader)
