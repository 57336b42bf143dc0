"""Records which lines each test runs, because only tests that run a changed line can catch the change."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from mutation.changes import FunctionText


@dataclass
class TestRecord:
    """The record of one run of a test.

    Attributes:
        digest: the digest of the test's file; a record of another version does not count.
        seconds: how long it took.
        lines: the lines that it ran, by function key, relative to the function's first line.
    """

    digest: str
    seconds: float
    passed: bool
    lines: dict[str, set[int]] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """Low for quick tests that call few functions, which are tried first."""
        return self.seconds * len(self.lines)

    def calls(self, function: FunctionText) -> bool:
        """Whether it called the function, in its current or an earlier version."""
        return function.name in self._names

    def calls_into(self, module: str) -> bool:
        """Whether it called any function of `module`."""
        return any(name.startswith(f"{module}.") for name in self._names)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(key.partition("#")[0] for key in self.lines)

    def runs(self, function: FunctionText, line: int) -> bool:
        """Whether it ran this line of the module; if the function has changed since, whether it called it."""
        run = self.lines.get(function.key)
        return self.calls(function) if run is None else line - function.first in run


class CoverageMap:
    """The records of all tests, kept in a file between runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.records: dict[str, TestRecord] = {}
        self.load()

    def load(self) -> None:
        """Read the records that the file has."""
        self.records = {}
        if self._file.exists():
            for name, (digest, seconds, passed, lines) in json.loads(self._file.read_text()).items():
                sets = {key: set(numbers) for key, numbers in lines.items()}
                self.records[name] = TestRecord(digest, seconds, passed, sets)

    def save(self) -> None:
        """Write the records that exist."""
        table = {
            name: (one.digest, one.seconds, one.passed, {key: sorted(run) for key, run in one.lines.items()})
            for name, one in self.records.items()
        }
        self._file.write_text(json.dumps(table))

    def is_current(self, test: str, digest: str) -> bool:
        """Whether `test` has a record of this version of its file."""
        return test in self.records and self.records[test].digest == digest


def digest(file: Path) -> str:
    """A name for the contents of `file`."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def code_owners(functions: Iterable[tuple[FunctionText, FunctionType]]) -> dict[int, FunctionText]:
    """The outermost function around every code object, by the object's `id`."""
    owners: dict[int, FunctionText] = {}

    def collect(owner: FunctionText, code: CodeType) -> None:
        owners[id(code)] = owner
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                collect(owner, constant)

    for owner, function in functions:
        collect(owner, function.__code__)
    return owners


@contextmanager
def lines_run(owners: dict[int, FunctionText]) -> Iterator[dict[str, set[int]]]:
    """Record the lines that run within the context, in any thread, relative to their function's first line."""
    seen: dict[FunctionText, set[int]] = {}
    lines: dict[str, set[int]] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - the interpreter's signature
        owner = owners.get(id(frame.f_code))
        if owner is None:
            return None
        run = seen.setdefault(owner, set())

        def trace_line(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - same
            run.add(frame.f_lineno)
            return trace_line

        return trace_line

    sys.settrace(trace)
    threading.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(None)
        threading.settrace(None)
        for owner, run in seen.items():
            lines[owner.key] = {number - owner.first for number in run}
