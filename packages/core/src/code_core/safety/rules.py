"""The user's standing decisions about commands: rules and registered commands."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Literal

from code_core.frozen import frozen
from code_core.safety.known_safe import Reading, reading
from code_core.safety.normal_form import begins_with
from code_core.safety.shell_words import Words


class RuleDecision(IntEnum):
    """The decision of a rule, strictest last."""

    ALLOW = 1
    PROMPT = 2
    FORBIDDEN = 3


@frozen
class PrefixRule:
    """A decision about every command that begins with `pattern`, a set of possible words for each position.

    Attributes:
        outside: whether an allowed command may also run outside the sandbox.
        cwd: where it allows the command, including subdirectories; anywhere if None.
        exact: whether it allows only the words of the pattern, without further ones.
        files: the paths and SHA-256 checksums of the files that the command names; any files if None.
    """

    pattern: tuple[frozenset[str], ...]
    decision: RuleDecision
    justification: str = ""
    outside: bool = False
    cwd: Path | None = None
    exact: bool = False
    files: frozenset[tuple[Path, str]] | None = None

    @property
    def forbids(self) -> bool:
        """Whether it forbids the command, whatever the user says."""
        return self.decision is RuleDecision.FORBIDDEN

    def matches(self, words: Sequence[str]) -> bool:
        """Whether `words` begin with the pattern: literally for rules that allow, in any spelling for others."""
        if not words or (self.exact and len(words) != len(self.pattern)):
            return False
        written = len(words) >= len(self.pattern) and all(
            word in choices for word, choices in zip(words, self.pattern, strict=False)
        )
        return written or (
            self.decision is not RuleDecision.ALLOW and begins_with(tuple(words), self.pattern)
        )


@frozen
class RegisteredCommand:
    """A command that the user has allowed for the session.

    Attributes:
        semantic_prefix: also allow commands whose words, without options, begin with these.
        outside: whether they may also run outside the sandbox.
        cwd: where they may run, including subdirectories; anywhere if None.
        files: see `PrefixRule.files`.
    """

    command: Words
    match_kind: Literal["exact", "prefix"]
    semantic_prefix: Words = ()
    outside: bool = False
    cwd: Path | None = None
    files: frozenset[tuple[Path, str]] | None = None

    def matches(self, words: Sequence[str]) -> bool:
        """Whether it covers `words`."""
        if self.match_kind == "exact":
            return tuple(words) == self.command
        if tuple(words[: len(self.command)]) == self.command:
            return True
        without_options = tuple(word for word in words if not word.startswith("-"))
        return (
            bool(self.semantic_prefix)
            and without_options[: len(self.semantic_prefix)] == self.semantic_prefix
        )


_HIDES = PrefixRule(
    (), RuleDecision.PROMPT, "the command runs text that it does not show, to which a rule may apply"
)


def strictest(
    rules: Iterable[PrefixRule], found: Iterable[Words], *, hides: bool = False
) -> PrefixRule | None:
    """Return the strictest rule that forbids or asks for one of the commands `found`, or None.

    If the command `hides` what else it runs, and such rules exist, the result at least asks.
    """
    rules = [rule for rule in rules if rule.decision is not RuleDecision.ALLOW]
    commands = list(found)
    hits = [rule for rule in rules if any(rule.matches(words) for words in commands)]
    return max(hits, key=lambda rule: rule.decision, default=_HIDES if rules and hides else None)


def is_allowed(
    argv: Sequence[str],
    parts: Sequence[Words] | None,
    rules: Iterable[PrefixRule] = (),
    registered: Iterable[RegisteredCommand] = (),
    *,
    outside: bool = False,
    confined: bool = True,
    cwd: Path | None = None,
    files: frozenset[tuple[Path, str]] | None = None,
) -> bool:
    """Whether the user has allowed `argv` as a whole, or each command of its script except those that only read.

    Args:
        argv: the command.
        parts: the commands that it certainly runs; None if unknown.
        rules: rules from the settings.
        registered: commands registered for the session.
        outside: whether it leaves the sandbox.
        confined: whether it runs confined, where git only reads.
        cwd: where it runs, with symlinks resolved.
        files: the paths and SHA-256 checksums of the files that it names, for rules that depend on them.
    """
    here = None if parts is None or any(words[:1] == ("cd",) for words in parts) else cwd

    def holds(one: PrefixRule | RegisteredCommand) -> bool:
        in_place = one.cwd is None or (here is not None and here.is_relative_to(one.cwd))
        return in_place and one.outside >= outside and (one.files is None or one.files == files)

    allowing = [rule for rule in rules if rule.decision is RuleDecision.ALLOW and holds(rule)]
    commands = [one for one in registered if holds(one)]
    if any(one.match_kind == "exact" and one.matches(argv) for one in commands):
        return True
    if not parts:
        return False
    allowed = {
        words: any(rule.matches(words) for rule in allowing) or any(one.matches(words) for one in commands)
        for words in parts
    }
    reads = Reading.WHEN_CONFINED if confined else Reading.ALWAYS
    return any(allowed.values()) and all(held or reading([words]) >= reads for words, held in allowed.items())
