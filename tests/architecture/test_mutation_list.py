"""The list for the mutation tester is valid, and everything that it names exists."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_settled_modules_and_their_tests_exist() -> None:
    settled = tomllib.loads((ROOT / ".ci/mutation.toml").read_text(encoding="utf-8"))["settled"]
    source, tests = ROOT / "packages/core/src/code_core", ROOT / "tests/core"
    missing = [module for module in settled if not (source / f"{module.replace('.', '/')}.py").exists()]
    missing += [name for names in settled.values() for name in names if not (tests / name).exists()]
    assert missing == []


def test_explained_changes_have_a_reason_and_are_listed_once() -> None:
    mutants = tomllib.loads((ROOT / ".ci/mutation.toml").read_text(encoding="utf-8"))["mutant"]
    assert all(set(one) == {"function", "line", "change", "reason"} for one in mutants)
    identities = [(one["function"], one["line"], one["change"]) for one in mutants]
    assert len(identities) == len(set(identities))


def test_explained_changes_are_of_lines_that_exist() -> None:
    source = ROOT / "packages/core/src"
    mutants = tomllib.loads((ROOT / ".ci/mutation.toml").read_text(encoding="utf-8"))["mutant"]
    missing = []
    for one in mutants:
        parts = one["function"].split(".")
        files = (source.joinpath(*parts[:end]).with_suffix(".py") for end in range(len(parts), 0, -1))
        file = next(file for file in files if file.exists())
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        if one["line"] not in lines or f"def {parts[-1]}(" not in "\n".join(lines):
            missing.append((one["function"], one["line"]))
    assert missing == []
