import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.safety import rules as rules_module
from code_core.safety.proposals import Proposal, allows, proposed_rule
from code_core.safety.rules import PrefixRule, RegisteredCommand, RuleDecision, strictest
from code_core.safety.rules_file import RuleError, parse_rules, render_rule
from code_core.safety.shell_words import plain_commands
from code_core.safety.statements import statements


def is_allowed(argv: Sequence[str], *args: Any, **kwargs: Any) -> bool:
    """`rules.is_allowed` for a command whose programs are all of the system."""
    return rules_module.is_allowed(argv, plain_commands(argv), *args, **kwargs)


def rule_of(*words: str, **more: Any) -> PrefixRule:
    return PrefixRule(tuple(frozenset({word}) for word in words), RuleDecision.ALLOW, **more)


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
def test_the_strictest_rule_applies_to_every_statement(script: str, decision: RuleDecision | None) -> None:
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
def test_an_allowing_rule_never_allows_more_than_its_command(script: str, allowed: bool) -> None:
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
def test_registered_commands_are_allowed(registered: tuple[str, str], argv: list[str], allowed: bool) -> None:
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
def test_a_prefix_does_not_allow_further_commands(tail: str, space: str) -> None:
    one = RegisteredCommand(("git", "status"), "prefix", ("git", "status"))
    assert not is_allowed(["bash", "-c", f"git status{space}{tail}"], RULES, [one])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "may contain only"),
        ("rule = 1", "may contain only"),
        ("[[rule]]\ndecision='allow'", "needs a pattern"),
        ("[[rule]]\npattern=[1]", "neither a word"),
        ("[[rule]]\npattern=[[]]", "neither a word"),
        ("[[rule]]\npattern=['a']\ndecision='yes'", "not 'yes'"),
        ("[[rule]]\npattern=['a']\njustification=1", "must be a string"),
        ("[[rule]]\npattern=['a']\nextra=1", "unknown keys"),
        ("[[rule]]\npattern=['a']\nmatch=['b']", "rule 1 does not match 'b'"),
        ("[[rule]]\npattern=['a']\nnot_match=['a b']", "rule 1 matches 'a b'"),
        ("[[rule]]\npattern=['a']\nmatch=['a; b']", "not a single plain command"),
        ("[[rule]]\npattern=[]", "needs a pattern"),
        ("[[rule]]\npattern='a'", "needs a pattern"),
        ("[[rule]]\npattern=[['']]", "neither a word"),
        ("[[rule]]\npattern=[['a', 1]]", "neither a word"),
        ("[[rule]]\npattern=['a']\noutside=1", "outside must be true or false"),
        (
            "[[rule]]\npattern=['a']\ndecision='prompt'\noutside=true",
            "can be true only with the decision allow",
        ),
        ("[[rule]]\npattern=['a']\ncwd=1", "cwd must be an absolute path"),
        ("[[rule]]\npattern=['a']\ncwd='x'", "cwd must be an absolute path"),
        ("[[rule]]\npattern=['a']\ndecision='prompt'\ncwd='/x'", "needs the decision allow"),
        ("[[rule]]\npattern=['a']\nmatch='b'", "rule 1 does not match 'b'"),
        ("[[rule]]\npattern=['a']\nexact=1", "exact must be true or false"),
        ("[[rule]]\npattern=['a']\nfiles=['x']", "files must be a table"),
        ("[[rule]]\npattern=['a']\ndecision='prompt'\nfiles={}", "needs the decision allow"),
        ("[[rule]]\npattern=['a']\nfiles={x='a'}", "absolute path"),
        ("[[rule]]\npattern=['a']\nexact=true\nmatch=['a b']", "does not match 'a b'"),
    ],
)
def test_an_invalid_rule_is_reported_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        parse_rules(tomllib.loads(text), "a.toml")


def test_a_rendered_rule_can_be_appended_to_a_file() -> None:
    rule = rule_of(
        "make", 'a"b\n', exact=True, outside=True, cwd=Path("/w"), files=frozenset({(Path("/w/x"), "0f")})
    )
    assert render_rule(rule) == (
        '[[rule]]\npattern = ["make", "a\\"b\\U0000000a"]\ndecision = "allow"\nexact = true\ncwd = "/w"\noutside = true\n'
        'files = {"/w/x" = "0f"}\n'
    )
    assert render_rule(rule_of("make")) == '[[rule]]\npattern = ["make"]\ndecision = "allow"\n'


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(
    st.lists(TEXTS, min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.none() | st.dictionaries(TEXTS, st.text("0123456789abcdef", min_size=64, max_size=64), max_size=3),
)
def test_a_rendered_rule_is_parsed_back_unchanged(
    words: list[str], exact: bool, outside: bool, files: dict[str, str] | None
) -> None:
    pinned = (
        None if files is None else frozenset((Path("/") / name, digest) for name, digest in files.items())
    )
    rule = rule_of(*words, exact=exact, outside=outside, cwd=Path("/") / words[0], files=pinned)
    assert parse_rules(tomllib.loads(render_rule(rule)), "x") == (rule,)
    assert rule.matches(words)
    assert rule.matches([*words, "x"]) is not exact


@pytest.mark.parametrize(
    ("script", "proposal"),
    [
        # Every continuation is harmless.
        ("mkdir -p a", Proposal(("mkdir",), exact=False)),
        ("touch 'a b'", Proposal(("touch",), exact=False)),
        ("git add x", Proposal(("git", "add"), exact=False)),
        ("diff a b | head", Proposal(("diff",), exact=False)),
        # What runs other programs, and what is not known.
        *(
            (command, Proposal(tuple(shlex.split(command)), exact=True))
            for command in (
                "uv run x",
                "npm exec x",
                "npm run build",
                "npm test -- -x",
                "docker run x",
                "python3 x.py",
                "python3",
                "make -j4 all",
                "make",
                "cargo",
                "cargo test",
                "git config a.b c",
                "git fetch origin",
                "git push origin",
                "git commit -m x",
                "git -C /x add y",
                "tar xf x",
                "rsync a b",
                "sort x",
                "kubectl get pods",
                "find . -delete",
                "./x.sh",
                "/usr/bin/touch x",
                "git log --output=x",
            )
        ),
        ("npm run build | tail -5", Proposal(("npm", "run", "build"), exact=True)),
        # No rule would be narrow enough.
        ("cd sub && npm run build", None),
        ("npm run build && make", None),
        ("make a b c d e f g h i j k", Proposal(("make", *"abcdefghijk"), exact=True)),
        ("make a b c d e f g h i j k l", None),
        ("npm run $X", None),
        ("ls", None),
        ("git status", None),
        ("bash script.sh", None),
        ("./bash -c ls x", None),
        ("sudo make", None),
        ("ssh x", None),
        ("env A=1 make", None),
        ("xargs rm", None),
        ("make 'a\nb'", None),
        ("make '\u202e'", None),
        ("make " + " ".join("abcdefghijklmnop"), None),
    ],
)
def test_proposed_rules(script: str, proposal: Proposal | None) -> None:
    argv = ["bash", "-lc", script]
    parts = plain_commands(argv)
    assert proposed_rule(parts, confined=True) == proposal
    if proposal is None:
        return
    unconfined = proposed_rule(parts, confined=False)
    assert unconfined is None or unconfined.exact
    here = Path("/w/sub")
    text = render_rule(rule_of(*proposal.words, cwd=Path("/w"), exact=proposal.exact))
    rules = parse_rules(tomllib.loads(text), "rules.toml")
    assert is_allowed(argv, rules, cwd=here)
    assert not is_allowed(argv, rules, cwd=here, outside=True)
    for elsewhere in (None, Path("/"), Path("/w2")):
        assert not is_allowed(argv, rules, cwd=elsewhere)
    command = shlex.join(proposal.words)
    assert not is_allowed(["bash", "-c", f"cd /x && {command}"], rules, cwd=here)
    assert not is_allowed(["bash", "-c", f"{command} && rm -r x"], rules, cwd=here)
    for more in ("--upload-pack=x", "x", "-c 'sh x'"):
        assert is_allowed(["bash", "-c", f"{command} {more}"], rules, cwd=here) is not proposal.exact


def test_no_rule_is_proposed_without_commands() -> None:
    assert proposed_rule(None, confined=True) is None
    assert proposed_rule((), confined=True) is None


def test_a_rule_for_git_is_proposed_if_it_runs_unconfined() -> None:
    assert proposed_rule((("git", "status"),), confined=False) == Proposal(("git", "status"), exact=True)


def test_a_question_describes_what_a_rule_allows() -> None:
    exact, prefix = Proposal(("make", "all"), exact=True), Proposal(("git", "add"), exact=False)
    assert allows(exact, "/w", outside=False) == (
        "Allows exactly `make all`, without other arguments, from now on, in /w and below."
    )
    assert (
        allows(prefix, "/w", outside=False)
        == "Allows `git add` with any arguments from now on, in /w and below."
    )
    assert allows(exact, "/w", outside=True, files=1) == (
        "Allows exactly `make all`, without other arguments, outside the sandbox too, from now on, in /w and below, "
        "as long as the file it names does not change."
    )


def test_a_rule_for_files_holds_only_for_these_contents() -> None:
    files = frozenset({(Path("/w/x.sh"), "a" * 64)})
    for outside in (False, True):
        rule = rule_of("./x.sh", exact=True, outside=True, cwd=Path("/w"), files=files)
        assert is_allowed(["./x.sh"], [rule], outside=outside, cwd=Path("/w"), files=files)
        for others in (None, frozenset(), frozenset({(Path("/w/x.sh"), "b" * 64)})):
            assert not is_allowed(["./x.sh"], [rule], outside=outside, cwd=Path("/w"), files=others)


def test_unconfined_git_commands_are_not_allowed_along_with_others() -> None:
    argv = ["bash", "-c", "make && git status"]
    assert is_allowed(argv, RULES, confined=True)
    assert not is_allowed(argv, RULES, confined=False)
    assert is_allowed(["bash", "-c", "make && ls"], RULES, confined=False)
