"""Patterns that are compiled when they are first used."""

import importlib
import re
from pathlib import Path

import pytest

import code_core
from code_core import lazy_pattern as module
from code_core.lazy_pattern import lazy_pattern

TEXT = "b1 B22 c"
PACKAGE = Path(code_core.__path__[0])
USERS = sorted(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    for file in PACKAGE.rglob("*.py")
    if " lazy_pattern(" in file.read_text() and file.name != "lazy_pattern.py"
)


@pytest.mark.parametrize("flags", [0, re.IGNORECASE])
def test_it_works_like_a_compiled_pattern(flags: int) -> None:
    lazy, compiled = lazy_pattern(r"b(\d+)", flags), re.compile(r"b(\d+)", flags)
    for _ in range(2):
        assert lazy.findall(TEXT) == compiled.findall(TEXT)
        assert lazy.sub(r"<\1>", TEXT) == compiled.sub(r"<\1>", TEXT)
        assert [one.span(1) for one in lazy.finditer(TEXT)] == [
            one.span(1) for one in compiled.finditer(TEXT)
        ]
        for text in (TEXT, "B7", "b1", "c"):
            for method in ("match", "search", "fullmatch"):
                ours, theirs = getattr(lazy, method)(text), getattr(compiled, method)(text)
                assert (ours and ours.span()) == (theirs and theirs.span())
        assert lazy.split("x b1 y") == compiled.split("x b1 y")
        assert (lazy.pattern, lazy.flags) == (compiled.pattern, compiled.flags)
    assert lazy_pattern(rb"\d+").findall(b"1 22") == [b"1", b"22"]


def test_it_compiles_once_at_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_now = re.compile

    def note(pattern: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(pattern)
        return compile_now(pattern, flags)

    monkeypatch.setattr(re, "compile", note)
    lazy = lazy_pattern("a+")
    assert compiled == []
    assert lazy.match("aa")
    assert lazy.search("baa")
    assert compiled == ["a+"]


@pytest.mark.parametrize("name", USERS)
def test_every_lazy_pattern_of_the_package_is_valid(name: str) -> None:
    values = list(vars(importlib.import_module(name)).values())
    values += [inner for value in values if isinstance(value, dict) for inner in value.values()]
    patterns = [value for value in values if isinstance(value, module._LazyPattern)]
    assert patterns
    for pattern in patterns:
        pattern.search  # noqa: B018 - compiles it
