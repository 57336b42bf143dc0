"""Selects the environment variables that a command receives."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from code_core.safety.credentials import is_secret

CORE = frozenset({"HOME", "LOGNAME", "PATH", "SHELL", "USER", "USERNAME", "TMPDIR", "TEMP", "TMP"})


def child_environment(
    environ: Mapping[str, str],
    *,
    inherit: Literal["all", "core", "none"] = "all",
    ignore_default_excludes: bool = False,
    exclude: Iterable[str] = (),
    set_: Mapping[str, str] | None = None,
    include_only: Iterable[str] = (),
    secrets: Iterable[str] = (),
) -> dict[str, str]:
    """Return the variables of a child process.

    The settings are applied in this order: inherit, drop secrets (`is_secret`), drop `exclude`, add
    `set_`, keep only `include_only`. Patterns are case-insensitive globs. The names in `secrets`,
    which hold the engine's own keys, are never passed, even if set explicitly.
    """
    match inherit:
        case "all":
            chosen = dict(environ)
        case "core":
            chosen = {name: value for name, value in environ.items() if name.upper() in CORE}
        case "none":
            chosen = {}
    if not ignore_default_excludes:
        chosen = {name: value for name, value in chosen.items() if not is_secret(name, value)}
    dropped = list(exclude)
    chosen = {name: value for name, value in chosen.items() if not _matches(name, dropped)}
    chosen |= set_ or {}
    if only := list(include_only):
        chosen = {name: value for name, value in chosen.items() if _matches(name, only)}
    for name in secrets:
        chosen.pop(name, None)
    return chosen


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)
