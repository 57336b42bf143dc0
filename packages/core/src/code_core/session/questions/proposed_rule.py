"""The rule offered with a question about a command, and the edits that the user may make to it."""

import os
import tomllib
from pathlib import Path
from typing import Literal, Self

from code_core.context.git import repository_root
from code_core.frozen import frozen
from code_core.safety.grants import CommandGrant
from code_core.safety.proposals import Proposal, allows
from code_core.safety.rules import PrefixRule, RegisteredCommand, RuleDecision
from code_core.safety.rules_file import RuleError, parse_rules, render_rule
from code_core.safety.shell_words import Words


@frozen
class ProposedRule:
    """Allows the command `words` in and below `cwd`, with further arguments unless `exact`.

    Attributes:
        outside: whether it also allows running outside the sandbox.
        files: see `PrefixRule.files`.
    """

    words: Words
    cwd: Path
    outside: bool = False
    exact: bool = False
    files: frozenset[tuple[Path, str]] | None = None

    @classmethod
    def for_command(cls, proposal: Proposal, grant: CommandGrant) -> Self:
        """Return the rule for the repository that the command runs in, or for its directory otherwise."""
        cwd = Path(os.path.realpath(repository_root(grant.cwd) or grant.cwd))
        files = grant.contents if grant.outside else None
        return cls(proposal.words, cwd, grant.outside, proposal.exact, files)

    @property
    def text(self) -> str:
        """The rule as shown to the user and written to the rules file."""
        pattern = tuple(frozenset({word}) for word in self.words)
        rule = PrefixRule(
            pattern,
            RuleDecision.ALLOW,
            outside=self.outside,
            cwd=self.cwd,
            exact=self.exact,
            files=self.files,
        )
        return render_rule(rule)

    @property
    def allows(self) -> str:
        """One sentence describing what else the rule allows."""
        proposal = Proposal(self.words, self.exact)
        return allows(proposal, str(self.cwd), outside=self.outside, files=len(self.files or ()))

    @property
    def registered(self) -> RegisteredCommand:
        """The equivalent grant for the rest of the session."""
        kind: Literal["exact", "prefix"] = "exact" if self.exact else "prefix"
        return RegisteredCommand(self.words, kind, outside=self.outside, cwd=self.cwd, files=self.files)

    def narrowed(self, text: str) -> "ProposedRule":
        """Return the rule as edited by the user, which may allow less but never more.

        The edited pattern must begin with ours, or equal it if ours is exact; its directory must be ours
        or below it; and it may leave the sandbox only if ours does, for the same files. Examples and the
        justification are dropped.

        Raises:
            RuleError: the edited rule is invalid or allows more.
        """
        try:
            rules = parse_rules(tomllib.loads(text), "the edited rule")
        except tomllib.TOMLDecodeError as error:
            raise RuleError(f"the edited rule is not TOML: {error}") from None
        if len(rules) != 1 or rules[0].decision is not RuleDecision.ALLOW:
            raise RuleError("the edited rule must be one rule with the decision allow")
        rule = rules[0]
        if any(len(choices) != 1 for choices in rule.pattern):
            raise RuleError("the pattern of the edited rule must have one word at each position")
        words = tuple(word for choices in rule.pattern for word in choices)
        if words[: len(self.words)] != self.words:
            raise RuleError("the pattern of the edited rule must begin with the proposed pattern")
        if self.exact and (words != self.words or not rule.exact):
            raise RuleError("the edited rule must be exact, with the proposed pattern")
        if rule.cwd is None or ".." in rule.cwd.parts or not rule.cwd.is_relative_to(self.cwd):
            raise RuleError(f"the cwd of the edited rule must be {self.cwd} or a directory below it")
        if rule.outside > self.outside:
            raise RuleError("the edited rule must not allow running outside the sandbox")
        if rule.outside and rule.files != self.files:
            raise RuleError("the edited rule must name the proposed files")
        return ProposedRule(words, rule.cwd, rule.outside, rule.exact, rule.files)
