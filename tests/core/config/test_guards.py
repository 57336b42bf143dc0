import time
from pathlib import Path

import pytest

from code_core.config.guards import NO_GUARDS, load_guards
from code_core.config.load import NO_OVERRIDES, load_config, project_of
from code_core.config.schema.commands import ConfirmGuardTable, GuardPatternTable
from code_core.errors import ConfigError
from code_core.safety.rules import RuleDecision
from support.repository import make_repository


def table(*patterns: str) -> ConfirmGuardTable:
    return ConfirmGuardTable(patterns=[GuardPatternTable(regex=pattern) for pattern in patterns])


def test_without_guards_and_rules_nothing_is_imported(tmp_path: Path) -> None:
    assert load_guards(ConfirmGuardTable(), tmp_path, project_of(tmp_path)) is NO_GUARDS


def test_a_pattern_matches_and_gives_its_reason(tmp_path: Path) -> None:
    (guard,) = load_guards(table("pro+d"), tmp_path, project_of(tmp_path)).guards
    assert guard.message == "it matches pro+d"
    assert guard.pattern.matches(["to prood"])
    assert not guard.pattern.matches(["to test"])


def test_an_invalid_pattern_is_reported(tmp_path: Path) -> None:
    text = "[[confirm_guard.patterns]]\nregex = 'b'\n[[confirm_guard.patterns]]\nregex = '(a'\n"
    (tmp_path / "config.toml").write_text(text)
    expected = r"config\.toml:4: confirm_guard\.patterns: '\(a' is not a regular expression"
    with pytest.raises(ConfigError, match=expected):
        load_config(NO_OVERRIDES, {"CODE_HOME": str(tmp_path)})


def test_a_slow_pattern_does_not_hang_the_turn(tmp_path: Path) -> None:
    (guard,) = load_guards(table(r"(a|aa|a+)+$"), tmp_path, project_of(tmp_path)).guards
    started = time.perf_counter()
    assert guard.pattern.matches(["a" * 9_000 + "b"])  # not known, so it counts
    assert time.perf_counter() - started < 5


def test_the_time_limit_of_a_pattern_covers_all_texts_and_no_text_is_cut(tmp_path: Path) -> None:
    (guard,) = load_guards(table("a.*c"), tmp_path, project_of(tmp_path)).guards
    assert guard.pattern.matches(["x" * 100_000 + "abc"])
    assert not guard.pattern.matches(["ab"] * 100)
    started = time.perf_counter()
    assert guard.pattern.matches(["a" * 3_000] * 2_000)
    assert time.perf_counter() - started < 5


def test_project_rules_can_only_tighten_the_users_own(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    (home / "rules").mkdir(parents=True)
    (project / ".code/rules").mkdir(parents=True)
    make_repository(project)
    (project / "sub").mkdir()
    (home / "rules/b.toml").write_text('[[rule]]\npattern = ["b"]\n')
    (home / "rules/a.toml").write_text('[[rule]]\npattern = ["a"]\n')
    (project / ".code/rules/c.toml").write_text(
        '[[rule]]\npattern = ["c"]\n[[rule]]\npattern = ["d"]\ndecision = "prompt"\n'
    )
    rules = load_guards(ConfirmGuardTable(), home, project_of(project / "sub")).rules
    assert [(*rule.pattern[0], rule.decision) for rule in rules] == [
        ("a", RuleDecision.ALLOW),
        ("b", RuleDecision.ALLOW),
        ("d", RuleDecision.PROMPT),
    ]


@pytest.mark.parametrize(
    ("text", "problem"), [("x", "cannot be read"), ("[[rule]]\npattern = []", "rule 1 needs a pattern")]
)
def test_an_invalid_rules_file_is_reported(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.toml").write_text(text)
    with pytest.raises(ConfigError, match=f"a.toml.*{problem}"):
        load_guards(ConfirmGuardTable(), tmp_path, project_of(tmp_path))
