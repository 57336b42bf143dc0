import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.safety.rules import (
    RegisteredCommand,
    RuleDecision,
    RuleError,
    is_allowed,
    parse_rules,
    proposed_prefix,
    render_rule,
    strictest,
)
from code_core.safety.statements import statements

FILE = """
[[rule]]
pattern = ["git", ["push", "fetch"]]
decision = "prompt"
justification = "it talks to the remote"
match = ["git push origin", "git fetch"]
not_match = ["git status", "git"]

[[rule]]
pattern = ["git", "push", "--mirror"]
decision = "forbidden"

[[rule]]
pattern = ["make"]
"""
RULES = parse_rules(tomllib.loads(FILE), "a.toml")


@pytest.mark.parametrize(
    ("script", "decision"),
    [
        ("git push", RuleDecision.PROMPT),
        ("ls; /usr/bin/git fetch x", RuleDecision.PROMPT),
        ("git fetch; git push --mirror", RuleDecision.FORBIDDEN),
        ("sudo git push", RuleDecision.PROMPT),
        ("$(git push)", RuleDecision.PROMPT),
        ("git status", None),
        ("make", None),
    ],
)
def test_the_strictest_rule_wins_on_every_statement(script: str, decision: RuleDecision | None) -> None:
    rule = strictest(RULES, statements(["bash", "-c", script]))
    assert (rule and rule.decision) == decision


@pytest.mark.parametrize(
    ("script", "allowed"),
    [
        ("make test", True),
        ("make && make test", True),
        ("cd x && make | tail", True),
        ("ls", False),  # known to be safe, but not by a rule
        ("make; rm x", False),
        ("make $(rm x)", False),
        ("make > x", False),
        ("./make", False),
        ("X=1 make", False),
    ],
)
def test_an_allowing_rule_never_passes_more_than_its_command(script: str, allowed: bool) -> None:
    assert is_allowed(["bash", "-lc", script], RULES) is allowed


@pytest.mark.parametrize(
    ("registered", "argv", "allowed"),
    [
        (("git status", "exact"), ["git", "status"], True),
        (("git status", "exact"), ["git", "status", "-s"], False),
        (("git status", "prefix"), ["git", "status", "-s"], True),
        (("git status", "prefix"), ["git"], False),
        (("git status", "prefix"), ["bash", "-c", "git status && rm -rf x"], False),
        (("git status", "prefix"), ["bash", "-c", "git status && ls"], True),
        (("bash -c ls;rm", "exact"), ["bash", "-c", "ls;rm"], True),
        (("bash -c", "prefix"), ["bash", "-c", "rm x"], False),
    ],
)
def test_registered_commands(registered: tuple[str, str], argv: list[str], allowed: bool) -> None:
    command, kind = registered
    one = RegisteredCommand(tuple(command.split()), "exact" if kind == "exact" else "prefix")
    assert is_allowed(argv, registered=[one]) is allowed


def test_a_semantic_prefix_skips_options() -> None:
    one = RegisteredCommand(("npm", "test"), "prefix", ("npm", "test"))
    assert is_allowed(["npm", "--silent", "test", "a"], registered=[one])
    assert not is_allowed(["npm", "run", "test"], registered=[one])


@given(
    st.sampled_from(["$(x)", "; x", "&& x", "| x", "> x", "\nx", "& x", "`x`"]), st.sampled_from(["", " "])
)
def test_no_prefix_passes_what_follows_it(tail: str, space: str) -> None:
    one = RegisteredCommand(("git", "status"), "prefix", ("git", "status"))
    assert not is_allowed(["bash", "-c", f"git status{space}{tail}"], RULES, [one])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "nothing else"),
        ("rule = 1", "nothing else"),
        ("[[rule]]\ndecision='allow'", "needs a pattern"),
        ("[[rule]]\npattern=[1]", "neither a word"),
        ("[[rule]]\npattern=[[]]", "neither a word"),
        ("[[rule]]\npattern=['a']\ndecision='yes'", "not 'yes'"),
        ("[[rule]]\npattern=['a']\njustification=1", "not a text"),
        ("[[rule]]\npattern=['a']\nextra=1", "other keys"),
        ("[[rule]]\npattern=['a']\nmatch=['b']", "rule 1 does not match 'b'"),
        ("[[rule]]\npattern=['a']\nnot_match=['a b']", "rule 1 matches 'a b'"),
        ("[[rule]]\npattern=['a']\nmatch=['a; b']", "not one plain command"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        parse_rules(tomllib.loads(text), "a.toml")


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=4
    )
)
def test_a_rendered_rule_reads_back(words: list[str]) -> None:
    (rule,) = parse_rules(tomllib.loads(render_rule(words, Path("/") / words[0])), "x")
    assert rule.decision is RuleDecision.ALLOW
    assert rule.cwd == Path("/") / words[0]
    assert rule.matches(words)


@pytest.mark.parametrize(
    ("argv", "prefix"),
    [
        (["npm", "test", "--", "-x"], ("npm", "test")),
        (["git", "push", "origin"], ("git", "push")),
        (["git", "-C", "/x", "push"], ("git", "-C", "/x", "push")),
        (["cargo"], ("cargo",)),
        (["make", "-j4", "all"], ("make", "-j4", "all")),
        (["touch", "a b"], ("touch", "a b")),
        (["bash", "-lc", "cd sub && npm run build"], None),
        (["bash", "-lc", "npm run build | tail -5"], ("npm", "run")),
        (["bash", "-lc", "npm run build && make"], None),
        (["bash", "-lc", "npm run $X"], None),
        (["bash", "-lc", "ls"], None),
        (["bash", "script.sh"], None),
        (["sudo", "make"], None),
        (["env", "A=1", "make"], None),
        (["make", "a\nb"], None),
        (["make", "\u202e"], None),
        (["make", *"abcdefghijklmnop"], None),
        ([], None),
    ],
)
def test_which_prefix_is_proposed(argv: list[str], prefix: tuple[str, ...] | None) -> None:
    assert proposed_prefix(argv) == prefix
    if prefix is not None:
        here = Path("/w/sub")
        rules = parse_rules(tomllib.loads(render_rule(prefix, Path("/w"))), "rules.toml")
        assert is_allowed(argv, rules, cwd=here)
        assert not is_allowed(argv, rules, cwd=here, outside=True)
        for elsewhere in (None, Path("/"), Path("/w2")):
            assert not is_allowed(argv, rules, cwd=elsewhere)
        assert not is_allowed(["bash", "-c", f"cd /x && {shlex.join(prefix)}"], rules, cwd=here)
        unconfined = parse_rules(tomllib.loads(render_rule(prefix, Path("/w"), outside=True)), "rules.toml")
        assert is_allowed(argv, unconfined, cwd=here)
        assert is_allowed(argv, unconfined, cwd=here, outside=True)
        assert not is_allowed(["bash", "-lc", f"{shlex.join(prefix)} && rm -r x"], rules, cwd=here)
