"""The rule that a question offers, and how the user can edit it."""

from pathlib import Path

import pytest

from code_core.safety.grants import CommandGrant, FileIdentity
from code_core.safety.proposals import Proposal
from code_core.safety.rules import RegisteredCommand
from code_core.safety.rules_file import RuleError
from code_core.session.questions.proposed_rule import ProposedRule
from support.repository import make_repository

HERE = Path("/w/project")
SUM = "a" * 64
SCRIPT = frozenset({(HERE / "build.sh", SUM)})


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("outside", [True, False])
def test_a_rule_is_as_wide_as_the_question(tmp_path: Path, exact: bool, outside: bool) -> None:
    grant = CommandGrant(("touch", "a"), tmp_path, outside=outside)
    rule = ProposedRule.for_command(Proposal(("touch",), exact), grant)
    assert rule == ProposedRule(("touch",), tmp_path, outside, exact, frozenset() if outside else None)


def test_a_rule_applies_in_the_whole_repository_by_its_real_path(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repository")
    (root / "below").mkdir()
    (tmp_path / "link").symlink_to(root / "below")
    grant = CommandGrant(("touch",), tmp_path / "link")
    assert ProposedRule.for_command(Proposal(("touch",), exact=False), grant).cwd == root


def test_outside_the_sandbox_a_rule_applies_only_to_unchanged_files() -> None:
    file = FileIdentity(HERE / "build.sh", 1, 2, SUM)
    grant = CommandGrant(("./build.sh",), HERE, outside=True, files=frozenset({file}))
    assert ProposedRule.for_command(Proposal(("./build.sh",), exact=True), grant).files == SCRIPT


def test_the_description_of_a_rule_counts_its_files() -> None:
    rule = ProposedRule(("./build.sh",), HERE, outside=True, exact=True, files=SCRIPT)
    assert rule.allows == (
        "Allows exactly `./build.sh`, without other arguments, outside the sandbox too, from now on, "
        "in /w/project and below, as long as the file it names does not change."
    )


@pytest.mark.parametrize(
    ("rule", "registered"),
    [
        (ProposedRule(("npm",), HERE), RegisteredCommand(("npm",), "prefix", cwd=HERE)),
        (
            ProposedRule(("./build.sh",), HERE, outside=True, exact=True, files=SCRIPT),
            RegisteredCommand(("./build.sh",), "exact", outside=True, cwd=HERE, files=SCRIPT),
        ),
    ],
)
def test_a_rule_allows_the_same_for_the_rest_of_the_session(
    rule: ProposedRule, registered: RegisteredCommand
) -> None:
    assert rule.registered == registered


def test_a_rule_may_be_made_exact_and_kept_in_the_sandbox() -> None:
    wide = ProposedRule(("npm",), HERE, outside=True, files=frozenset())
    text = '[[rule]]\npattern = ["npm", "test"]\nexact = true\ncwd = "/w/project/web"\n'
    assert wide.narrowed(text) == ProposedRule(("npm", "test"), HERE / "web", outside=False, exact=True)


PROPOSED = ProposedRule(("npm", "test"), HERE, outside=False)


@pytest.mark.parametrize(
    ("pattern", "more"),
    [
        ('["npm", "test"]', 'cwd = "/w/project"'),
        ('["npm", "test", "--", "a b"]', 'cwd = "/w/project/below"'),
        ('["npm", ["test"]]', 'cwd = "/w/project"\njustification = "mine"'),
    ],
)
def test_a_rule_may_be_narrowed(pattern: str, more: str) -> None:
    rule = PROPOSED.narrowed(f"[[rule]]\npattern = {pattern}\n{more}\n")
    assert rule.words[:2] == ("npm", "test")
    assert rule.narrowed(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('pattern = ["npm"]\ncwd = "/w/project"', "begin with the proposed pattern"),
        ('pattern = [["npm", "rm"], "test"]\ncwd = "/w/project"', "one word at each position"),
        ('pattern = ["npm", "test", ["a", "b"]]\ncwd = "/w/project"', "one word at each position"),
        ('pattern = ["npm", "test"]', "the cwd of the edited rule must be /w/project"),
        ('pattern = ["npm", "test"]\ncwd = "/w"', "or a directory below it"),
        ('pattern = ["npm", "test"]\ncwd = "/w/project/../x"', "or a directory below it"),
        ('pattern = ["npm", "test"]\ncwd = "/w/project2"', "or a directory below it"),
        ('pattern = ["npm", "test"]\ncwd = "/w/project"\noutside = true', "outside the sandbox"),
        ('pattern = ["npm", "test"]\ndecision = "prompt"', "decision allow"),
        ('pattern = ["npm", "test"]\ncwd = "/w/project"\n[[rule]]\npattern = ["rm"]', "must be one rule"),
        ("pattern = [", "not TOML"),
        ("", "needs a pattern"),
    ],
)
def test_an_edited_rule_that_allows_more_is_rejected(text: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        PROPOSED.narrowed(f"[[rule]]\n{text}\n")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('pattern = ["npm", "test"]', "must be exact"),
        ('pattern = ["npm", "test", "x"]\nexact = true', "must be exact"),
        ('pattern = ["npm", "test"]\nexact = true\noutside = true', "must name the proposed files"),
        (
            'pattern = ["npm", "test"]\nexact = true\noutside = true\nfiles = {}',
            "must name the proposed files",
        ),
    ],
)
def test_an_exact_rule_stays_exact_and_keeps_its_files(more: str, problem: str) -> None:
    files = frozenset({(Path("/w/project/package.json"), "a" * 64)})
    exact = ProposedRule(("npm", "test"), HERE, outside=True, exact=True, files=files)
    with pytest.raises(RuleError, match=problem):
        exact.narrowed(f'[[rule]]\n{more}\ncwd = "/w/project"\n')
    assert exact.narrowed(exact.text) == exact
