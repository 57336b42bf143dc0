"""Makes small changes to the engine's code, one at a time, and reports those that no test catches.

    python .ci/mutate.py [--settled] [--sample N] [--seed TEXT] [--budget N] [--refresh] [PATTERN…]

`PATTERN` chooses functions by name (`code_core.session.events.log.*`); `--sample` takes N changes
at random, the same ones for the same seed. A change runs only the tests that run the changed line;
`.mutation.json` records which lines each test runs (`--refresh` records them again). `.ci/mutation.toml`
lists the changes that no test can catch, with the reason, and the modules that are settled: their own
test files catch every change. `--settled` runs just those modules and files. The exit code is 1 if a
change survives.

A changed function can end any process that it can see. On Linux, where `unshare` is allowed, it sees
only those that it started itself.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path

import pytest
from mutation.changes import Mutant, mutants
from mutation.coverage import CoverageMap, TestRecord
from mutation.worker import Plugin, Worker

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "packages" / "core" / "src" / "code_core"
CHANGED = (
    "session/*.py",
    "session/*/*.py",
    "tools/*.py",
    "model/*.py",
    "safety/*.py",
    "patch/*.py",
    "wire/*.py",
)
TESTS = ("session", "tools", "safety", "patch", "model", "wire")
PURE = frozenset({"safety", "patch", "wire"})
"""Packages whose own test directories must catch every change."""
SETTINGS = tomllib.loads(Path(__file__).with_name("mutation.toml").read_text(encoding="utf-8"))
COVERAGE = ROOT / ".mutation.json"
NAMESPACE = ("unshare", "--pid", "--mount-proc", "--fork", "--kill-child")
"""Starts a program that sees no other processes. `unshare` is part of util-linux."""
INIT = ("sh", "-c", '"$@"; exit "$?"', "sh")
"""Process 1 of the namespace: the shell also waits for processes whose parent has ended."""


def main(arguments: Sequence[str]) -> int:
    """Run the chosen mutants; return 1 if some survive without an explanation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, metavar="N", help="only N changes, chosen by the seed")
    parser.add_argument("--seed", default="", help="the seed of the sample, such as a commit")
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        help="the seconds that the tests of one change may take in total",
    )
    parser.add_argument("--settled", action="store_true", help="only settled modules and their test files")
    parser.add_argument("--refresh", action="store_true", help="record again which lines the tests run")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    chosen = parser.parse_args(arguments)
    if chosen.refresh:
        COVERAGE.unlink(missing_ok=True)
    output = os.dup(1)  # pytest captures the original
    settled = {f"code_core.{module}": files for module, files in SETTINGS["settled"].items()}
    own: Mapping[str, Sequence[str]] = settled if chosen.settled else {}
    sources = _sources()
    changed = settled.keys() if chosen.settled else sources.keys()
    made = _chosen({name: text for name, text in sources.items() if name in changed}, chosen)
    if not made:
        print("mutate: no such functions" + (" in settled modules" if chosen.settled else ""))
        return 2
    if chosen.sample is None:
        _report_stale_explanations(made, chosen.patterns)
    packages = {one.module.split(".")[1] for one in made}
    others = sorted(packages) if packages <= PURE else TESTS
    tests = sorted({file for one in made for file in own.get(one.module, others)})
    plugin = Plugin(lambda worker: _run(worker, sources, made, own, chosen.budget, output))
    folders = [str(ROOT / "tests" / "core" / name) for name in tests]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT)]
    pytest.main([*options, *folders], plugins=[plugin])
    return plugin.status


def _report_stale_explanations(made: Sequence[Mutant], patterns: Sequence[str]) -> None:
    for name, line, change in sorted({*_explained()} - {one.identity for one in made}):
        if not patterns or any(fnmatch(name, one) for one in patterns):
            print(f"mutate: explained, but no longer made: {name}\n    {line}\n    {change}")


def _sources() -> dict[str, str]:
    files = {_module(file): file for pattern in CHANGED for file in sorted(PACKAGE.glob(pattern))}
    return {module: file.read_text(encoding="utf-8") for module, file in files.items()}


def _chosen(sources: Mapping[str, str], chosen: argparse.Namespace) -> list[Mutant]:
    made = [one for module, text in sources.items() for one in mutants(module, text, chosen.patterns)]
    if chosen.sample is not None and chosen.sample < len(made):
        made = random.Random(chosen.seed).sample(made, chosen.sample)  # noqa: S311 - a sample
    return made


def _run(
    worker: Worker,
    sources: Mapping[str, str],
    made: Sequence[Mutant],
    own: Mapping[str, Sequence[str]],
    budget: float,
    output: int,
) -> int:
    """Run `made` and show the result; for a module with its `own` tests, only those may catch a change."""

    def show(text: str) -> None:
        os.write(output, f"{text}\n".encode())

    worker.load(sources)
    coverage = CoverageMap(COVERAGE)
    for name in (failing := worker.record(coverage)):
        show(f"left out, because it fails without a change: {name}")
    usable = {
        name: one for name, one in coverage.records.items() if name in worker.items and name not in failing
    }
    explained = set(_explained())
    kills: Counter[tuple[str, str]] = Counter()
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in made:
        if not worker.changeable(mutant):
            continue
        files = tuple(f"tests/core/{file}" for file in own.get(mutant.module, TESTS))
        candidates = {name: one for name, one in usable.items() if name.startswith(files)}
        tests = [name for name, one in candidates.items() if one.runs(mutant.function, mutant.number)]
        tests = tests or [name for name, one in candidates.items() if one.calls(mutant.function)]
        if not any(one.calls(mutant.function) for one in coverage.records.values()):  # newer than the records
            tests = [name for name, one in candidates.items() if one.calls_into(mutant.module)]
        *_, package, module = mutant.module.split(".")
        mirrors = (f"/test_{module}.py::", f"/test_{package}_{module}.py::")
        tests.sort(
            key=lambda name: (
                -kills[mutant.name, name],
                -kills[mutant.module, name],
                not any(mirror in name for mirror in mirrors),
                usable[name].cost,
            )
        )
        tests = _within(budget, tests, usable)
        killer = worker.killer(mutant, tests, {name: usable[name].seconds for name in tests})
        if killer is not None:
            kills[mutant.name, killer] += 1
            kills[mutant.module, killer] += 1
            result = "killed"
        elif mutant.identity in explained:
            result = "explained"
        else:
            result = "survived"
            show(str(mutant) if tests else f"{mutant}\n    (no test calls the function)")
        results[mutant.module][result] += 1
    for module, counts in results.items():
        show(f"{module}: {_described(counts)}")
    total = sum(results.values(), Counter[str]())
    show(f"{total.total()} of {len(made)} mutants: {_described(total)}")
    return 1 if total["survived"] else 0


def _within(budget: float, tests: Sequence[str], records: Mapping[str, TestRecord]) -> list[str]:
    spent = accumulate(records[name].seconds for name in tests)
    return [name for name, seconds in zip(tests, spent, strict=True) if seconds <= budget] or list(tests[:1])


def _module(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)


def _described(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("killed", "explained", "survived"))


def _explained() -> Iterator[tuple[str, str, str]]:
    for one in SETTINGS["mutant"]:
        yield one["function"], one["line"], one["change"]


def _isolated() -> bool:
    """Whether this process sees only its own processes, or cannot avoid seeing others."""
    if os.getppid() == 1 and Path("/proc/1/comm").read_text(encoding="utf-8") == "sh\n":
        return True
    if shutil.which(NAMESPACE[0]):
        tried = subprocess.run([*NAMESPACE, "true"], check=False, stderr=subprocess.DEVNULL)
        if tried.returncode == 0:
            return False
    print("mutate: no PID namespace is available: a changed function may end any process of this user")
    return True


if __name__ == "__main__":
    if _isolated():
        sys.exit(main(sys.argv[1:]))
    sys.exit(subprocess.call([*NAMESPACE, *INIT, sys.executable, *sys.argv]))
