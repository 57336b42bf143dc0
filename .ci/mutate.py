"""Changes the engine's code a little at a time, and reports the changes that no test notices.

    python .ci/mutate.py [--sample N] [--seed TEXT] [PATTERN…]

Runs mutmut over the modules in `MUTATED`, in a copy of the sources. `PATTERN` chooses
mutants by name (`code_core.session.*`); `--sample` takes N of them at random, the same ones
for the same seed. Changes of wording do not count. Survivors that are known to change nothing
are listed, with the reason, in `.ci/equivalent-mutants.toml`. Exit code 1 if others survive.
"""

import argparse
import fnmatch
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "packages" / "core" / "src"
MUTATED = (
    "session/*.py",
    "session/tasks/*.py",
    "tools/*.py",
    "safety/decide.py",
    "patch/plan.py",
    "model/*.py",
)
TESTS = (
    "tests/core/session",
    "tests/core/tools",
    "tests/core/safety",
    "tests/core/patch",
    "tests/core/model",
)
SURVIVED = {0, 5, 33}  # pytest's "all passed" and "no tests"; mutmut's "no tests"
EQUIVALENT = Path(__file__).with_name("equivalent-mutants.toml")
_TEXT = re.compile(r"""(["'])(?:(?!\1).)*\1""")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a function: its mutmut name, and the lines it removes and adds."""

    name: str
    removed: str
    added: str

    @property
    def function(self) -> str:
        """The dotted name of the function."""
        return (
            re.sub(r"__mutmut_\d+$", "", self.name).replace("x_", "", 1).replace("xǁ", "").replace("ǁ", ".")
        )

    @property
    def is_wording(self) -> bool:
        """Whether only a text for people differs: one with a space in it."""
        texts = _TEXT.findall(self.removed) and " " in "".join(m[0] for m in _TEXT.finditer(self.removed))
        return bool(texts) and _TEXT.sub("", self.removed) == _TEXT.sub("", self.added)

    def __str__(self) -> str:
        return f"{self.function}\n  - {self.removed}\n  + {self.added}"


def main(arguments: Sequence[str]) -> int:
    """Run the chosen mutants; 1 if some survive without an explanation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", default="")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        place = Path(folder)
        _prepare(place)
        _mutmut(place, "run", "no.such.mutant")  # makes them all, and runs none
        names = sorted(_results(place))
        if chosen.patterns:
            names = [name for name in names if any(fnmatch.fnmatch(name, one) for one in chosen.patterns)]
        if chosen.sample is not None and chosen.sample < len(names):
            names = sorted(random.Random(chosen.seed).sample(names, chosen.sample))  # noqa: S311 - a sample
        if not names:
            print("mutate: no such mutants", file=sys.stderr)
            return 2
        _mutmut(place, "run", "--max-children", "2", *names)
        results = _results(place)
        survivors = [_mutant(place, name) for name in names if results[name] in SURVIVED]
    return _report(names, survivors)


def _report(names: Sequence[str], survivors: Sequence[Mutant]) -> int:
    known = {(one["function"], one["removed"], one["added"]) for one in _equivalent()}
    wording = [mutant for mutant in survivors if mutant.is_wording]
    explained = [m for m in survivors if (m.function, m.removed, m.added) in known]
    open_ones = [mutant for mutant in survivors if mutant not in wording and mutant not in explained]
    for mutant in open_ones:
        print(mutant)
    print(
        f"{len(names)} mutants: {len(names) - len(survivors)} noticed, {len(wording)} of wording, "
        f"{len(explained)} explained, {len(open_ones)} survived"
    )
    return 1 if open_ones else 0


def _prepare(place: Path) -> None:
    """Lay the sources out as mutmut wants them: one package in `src`."""
    shutil.copytree(SOURCES, place / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests", "docs", "benches"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for page in ROOT.glob("*.md"):
        shutil.copy(page, place)
    (place / "packages").mkdir()
    table = {
        "source_paths": ["src"],
        "only_mutate": [f"src/code_core/{pattern}" for pattern in MUTATED],
        "also_copy": ["docs", "benches", *(page.name for page in ROOT.glob("*.md"))],
        "pytest_add_cli_args_test_selection": list(TESTS),
        "pytest_add_cli_args": ["-x", "-p", "no:cacheprovider"],
    }
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    settings = (ROOT / "pyproject.toml").read_text()
    (place / "pyproject.toml").write_text(f"{settings}\n[tool.mutmut]\n{lines}\n")


def _mutmut(place: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "mutmut", *arguments]
    log = place / "mutmut.log"
    with log.open("w") as output:
        subprocess.run(command, cwd=place, stdout=output, stderr=subprocess.STDOUT, check=False)
    if "failed" in (text := log.read_text(errors="replace")) and "Failed to run" in text:
        sys.exit(text[-3_000:])


def _results(place: Path) -> dict[str, int | None]:
    """Each mutant and how the tests ended with it; None where they have not run."""
    results: dict[str, int | None] = {}
    for file in (place / "mutants").rglob("*.meta"):
        results |= json.loads(file.read_text())["exit_code_by_key"]
    return results


def _mutant(place: Path, name: str) -> Mutant:
    command = [sys.executable, "-m", "mutmut", "show", name]
    shown = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++", "#", "@@"))]
    removed = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    added = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return Mutant(name, removed, added)


def _equivalent() -> Iterator[dict[str, str]]:
    yield from tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
