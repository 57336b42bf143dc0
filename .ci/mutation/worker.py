"""Runs tests on changed functions: everything is imported once, and each change is made in a forked child.

A pytest plugin. When the tests have been collected it calls `work` with a `Worker`.
"""

import gc
import importlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutation.changes import FunctionText, Mutant, functions
from mutation.coverage import CoverageMap, TestRecord, code_owners, digest, lines_run

PATIENCE_SECONDS = 5.0
PATIENCE_FACTOR = 5.0
"""How much longer a test may take than without a change; after that, the change counts as caught."""
RECORD_SECONDS = 120.0


class Worker:
    """Runs chosen tests in children of this process."""

    def __init__(self, items: Sequence[pytest.Item], config: pytest.Config) -> None:
        self.items = {item.nodeid: item for item in items}
        self._config = config
        self._functions: dict[str, list[FunctionType]] = defaultdict(list)
        self._texts: dict[str, FunctionText] = {}
        self._trusted: set[str] = set()
        self._caches: list[Any] = []

    def load(self, sources: Mapping[str, str]) -> None:
        """Import the modules that will be changed, and find their functions, even decorated ones."""
        files = {importlib.import_module(name).__file__: name for name in sources}
        self._texts = {one.name: one for name, source in sources.items() for one in functions(name, source)}
        for found_object in gc.get_objects():
            if isinstance(found_object, _lru_cache_wrapper) and found_object.__module__ in sources:
                self._caches.append(found_object)
            elif isinstance(found_object, FunctionType) and (
                name := files.get(found_object.__code__.co_filename)
            ):
                outermost = found_object.__code__.co_qualname.split(".<locals>")[0]
                self._functions[f"{name}.{outermost}"].append(found_object)
        gc.collect()
        gc.freeze()

    def record(self, coverage: CoverageMap) -> list[str]:
        """Run the tests without a record; return the names of those that fail without any change."""
        digests = {file: digest(file) for file in {item.path for item in self.items.values()}}
        wanted = [
            name for name, item in self.items.items() if not coverage.is_current(name, digests[item.path])
        ]
        found = self._functions.items()
        owners = code_owners(
            (self._texts[name], one) for name, alive in found for one in alive if name in self._texts
        )

        def run(note: Callable[[], object]) -> None:
            for name in wanted:
                item = self.items[name]
                for cache in self._caches:  # otherwise only the first test would run what they keep
                    cache.cache_clear()
                began = time.monotonic()
                with lines_run(owners) as lines:
                    passed = self._passes(item, None)
                record = TestRecord(digests[item.path], time.monotonic() - began, passed, lines)
                coverage.records[name] = record
                note()
            coverage.save()
            note()

        if wanted:
            print(f"running {len(wanted)} tests to see which lines they run", file=sys.stderr, flush=True)
            self._fork(run, [RECORD_SECONDS] * (len(wanted) + 1))
            coverage.load()
        records = coverage.records
        return [name for name in self.items if name not in records or not records[name].passed]

    def killer(self, mutant: Mutant, tests: Sequence[str], seconds: dict[str, float]) -> str | None:
        """The first of `tests` that catches the change, or None.

        A test must catch its first change twice, because it may have failed for another reason.
        """
        rest = list(tests)
        while rest:
            failed = self._first_failure(mutant, rest, seconds)
            if failed is None:
                return None
            if failed in self._trusted or self._first_failure(mutant, [failed], seconds) is not None:
                self._trusted.add(failed)
                return failed
            print(f"flaky: {failed}", file=sys.stderr, flush=True)
            rest = rest[rest.index(failed) + 1 :]
        return None

    def _first_failure(self, mutant: Mutant, tests: Sequence[str], seconds: dict[str, float]) -> str | None:
        def run(note: Callable[[], object]) -> None:
            self._change(mutant)
            following = [*[self.items[name] for name in tests[1:]], None]
            for name, after in zip(tests, following, strict=True):
                if not self._passes(self.items[name], after):
                    return
                note()

        patience = [PATIENCE_SECONDS + PATIENCE_FACTOR * seconds[name] for name in tests]
        passed = self._fork(run, patience)
        return tests[passed] if passed < len(tests) else None

    def _change(self, mutant: Mutant) -> None:
        functions = self._functions[mutant.name]
        codes = _codes(compile(mutant.source, functions[0].__code__.co_filename, "exec", dont_inherit=True))
        for function in functions:
            old = function.__code__
            function.__code__ = codes[old.co_qualname, old.co_firstlineno]

    def changeable(self, mutant: Mutant) -> bool:
        """Whether the function can be replaced: it is loaded, and the change keeps its free variables."""
        functions = self._functions.get(mutant.name, [])
        if not functions:
            return False
        codes = _codes(compile(mutant.source, functions[0].__code__.co_filename, "exec", dont_inherit=True))
        old = [one.__code__ for one in functions]
        return all(
            (new := codes.get((one.co_qualname, one.co_firstlineno))) is not None
            and new.co_freevars == one.co_freevars
            for one in old
        )

    def _passes(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        failures: list[Any] = []

        class Reports:
            def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
                if report.failed:
                    failures.append(report)

        plugin = Reports()
        self._config.pluginmanager.register(plugin)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        self._config.pluginmanager.unregister(plugin)
        return not failures

    def _fork(self, run: Callable[[Callable[[], object]], None], patience: Sequence[float]) -> int:
        """Run in a child with its own home; return the number of its reports, each within its `patience`."""
        folder = Path(tempfile.mkdtemp(prefix="mutant-"))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reading)
                os.setsid()
                _settle(folder)
                run(lambda: os.write(writing, b"."))
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        done = 0
        while done < len(patience) and select.select([reading], [], [], patience[done])[0]:
            if not (written := os.read(reading, 4096)):
                break
            done += len(written)
        os.close(reading)
        _end(child, folder)
        return done


def _settle(folder: Path) -> None:
    """Confine the damage of a change to `folder`."""
    os.chdir(folder)
    os.environ |= {"HOME": str(folder), "TMPDIR": str(folder), "PYTEST_DEBUG_TEMPROOT": str(folder)}
    os.environ.pop("CODE_HOME", None)
    tempfile.tempdir = None


def _end(child: int, folder: Path) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(process.joinpath("cwd").readlink()).startswith(str(folder)):
                os.kill(int(process.name), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """All code objects in `code`, by name and first line."""
    found: dict[tuple[str, int], CodeType] = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found[constant.co_qualname, constant.co_firstlineno] = constant
            found |= _codes(constant)
    return found


class Plugin:
    """Passes the collected tests to `work` instead of running them."""

    def __init__(self, work: Callable[[Worker], int]) -> None:
        self._work = work
        self.status = 2

    def pytest_configure(self) -> None:
        """See pytest. Examples are the same in every run, and are not made smaller."""
        from hypothesis import Phase, settings  # pytest rewrites its plugins before they are imported

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=phases)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See pytest."""
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        session.config.pluginmanager.unregister(reporter)
        self.status = self._work(Worker(session.items, session.config))
        return True
