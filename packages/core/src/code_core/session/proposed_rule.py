"""The rule that a question about a command offers, and what the user may make of it."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from code_core.context.git import repository_root
from code_core.safety.rules import RegisteredCommand, RuleDecision, RuleError, parse_rules, render_rule
from code_core.safety.shell_words import Words


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """Allows every command that begins with `words`, in `cwd` and below.

    Attributes:
        outside: outside of the sandbox, too.
    """

    words: Words
    cwd: Path
    outside: bool

    @classmethod
    def for_directory(cls, words: Words, directory: Path, *, outside: bool) -> Self:
        """The rule for the repository that `directory` is in, or else for that directory."""
        return cls(words, Path(os.path.realpath(repository_root(directory) or directory)), outside)

    @property
    def text(self) -> str:
        """The rule as it is shown, and added to the rules file."""
        return render_rule(self.words, self.cwd, outside=self.outside)

    @property
    def registered(self) -> RegisteredCommand:
        """The same for the rest of the session."""
        return RegisteredCommand(self.words, "prefix", outside=self.outside, cwd=self.cwd)

    def narrowed(self, text: str) -> "ProposedRule":
        """The rule that the user wrote in place of this one; it may allow less, never more.

        Its pattern begins with ours, its directory is ours or below, and it leaves the
        sandbox only if ours does. Examples and the justification are not kept.

        Raises:
            RuleError: says what is wrong with it, or in which way it allows more.
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
        if rule.cwd is None or ".." in rule.cwd.parts or not rule.cwd.is_relative_to(self.cwd):
            raise RuleError(f"the cwd of the edited rule must be {self.cwd} or a directory below it")
        if rule.outside > self.outside:
            raise RuleError("the edited rule must not allow running outside of the sandbox")
        return ProposedRule(words, rule.cwd, rule.outside)
