"""Regular expressions that are compiled when they are first used.

Compiling one takes up to a millisecond, and a process defines a hundred but uses only a few.
"""

import re
from typing import Any, AnyStr, cast


def lazy_pattern(pattern: AnyStr, flags: re.RegexFlag | int = 0) -> re.Pattern[AnyStr]:
    """Return a stand-in for `re.compile(pattern, flags)`, which compiles it when it is first used."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))


class _LazyPattern:
    """Gets the methods of the compiled pattern as attributes of its own, so that only the first call is slow."""

    __slots__ = ("_flags", "_pattern", "findall", "finditer", "fullmatch", "match", "search", "split", "sub")

    def __init__(self, pattern: str | bytes, flags: re.RegexFlag | int) -> None:
        self._pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self._pattern, self._flags)
        for method in ("findall", "finditer", "fullmatch", "match", "search", "split", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)
