"""The list of the mutation tester can be read, and names what exists."""

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
