"""Standing decisions of the user about commands: rules and registered commands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

from code_core.safety.known_safe import Reading, reading
from code_core.safety.normal_form import begins_with
from code_core.safety.shell_words import Words


class RuleDecision(IntEnum):
    """What a rule says, the strictest last."""

    ALLOW = 1
    PROMPT = 2
    FORBIDDEN = 3


@dataclass(frozen=True, slots=True)
class PrefixRule:
    """A decision about every command that begins with `pattern`; each position has its possible words.

    Attributes:
        outside: what it allows may run outside of the sandbox, too.
        cwd: where it allows it, and below; anywhere when None.
        exact: it allows the words of the pattern and no others after them.
        files: the paths and SHA-256 checksums of the files that the command names; any files when None.
    """

    pattern: tuple[frozenset[str], ...]
    decision: RuleDecision
    justification: str = ""
    outside: bool = False
    cwd: Path | None = None
    exact: bool = False
    files: frozenset[tuple[Path, str]] | None = None

    def matches(self, words: Sequence[str]) -> bool:
        """Whether `words` begin as the pattern says: as it is written to be allowed, however spelled else."""
        if not words or (self.exact and len(words) != len(self.pattern)):
            return False
        written = len(words) >= len(self.pattern) and all(
            word in place for word, place in zip(words, self.pattern, strict=False)
        )
        return written or (
            self.decision is not RuleDecision.ALLOW and begins_with(tuple(words), self.pattern)
        )


@dataclass(frozen=True, slots=True)
class RegisteredCommand:
    """A command that the user has allowed for the session.

    Attributes:
        semantic_prefix: also allow commands whose words, options aside, begin with these.
        outside: they may run outside of the sandbox, too.
        cwd: where they may run, and below; anywhere when None.
        files: see `PrefixRule.files`.
    """

    command: Words
    match_kind: Literal["exact", "prefix"]
    semantic_prefix: Words = ()
    outside: bool = False
    cwd: Path | None = None
    files: frozenset[tuple[Path, str]] | None = None

    def matches(self, words: Sequence[str]) -> bool:
        """Whether it stands for `words`."""
        if self.match_kind == "exact":
            return tuple(words) == self.command
        if tuple(words[: len(self.command)]) == self.command:
            return True
        spoken = tuple(word for word in words if not word.startswith("-"))
        return bool(self.semantic_prefix) and spoken[: len(self.semantic_prefix)] == self.semantic_prefix


_HIDES = PrefixRule(
    (), RuleDecision.PROMPT, "the command runs text that it does not show, which it may forbid or ask for"
)


def strictest(
    rules: Iterable[PrefixRule], found: Iterable[Words], *, hides: bool = False
) -> PrefixRule | None:
    """The rule that forbids or asks for one of the commands `found`; None when none does.

    Where the command `hides` what else it runs, and there are such rules, one that asks.
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
    """Whether the user has allowed `argv` whole, or each command of its script (besides those that only read).

    Args:
        argv: the command.
        parts: the commands that it runs for certain; None if they are not known.
        rules: of the settings.
        registered: of the session.
        outside: whether it is to leave the sandbox.
        confined: whether it runs confined, where git only reads.
        cwd: where it runs, symlinks resolved.
        files: the paths and SHA-256 checksums of the files that it names, for what allows it only with these.
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
    allowed = [
        any(rule.matches(words) for rule in allowing) or any(one.matches(words) for one in commands)
        for words in parts
    ]
    reads = Reading.WHEN_CONFINED if confined else Reading.ALWAYS
    return any(allowed) and all(
        held or reading([words]) >= reads for held, words in zip(allowed, parts, strict=True)
    )
