"""Standing decisions of the user about commands: prefix rules and registered commands.

A rules file is TOML (`rules/*.toml`):

    [[rule]]
    pattern = ["git", ["push", "fetch"]]   # words; a list stands for any one of its words
    decision = "prompt"                    # allow, prompt or forbidden
    outside = false                        # whether what it allows may run outside of the sandbox, too
    cwd = "/home/me/project"               # what it allows, only there and below
    justification = "it talks to the remote"
    match = ["git push origin"]            # checked when the file is read
    not_match = ["git status"]
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal

from code_core.safety.known_safe import is_known_safe
from code_core.safety.normal_form import begins_with, program
from code_core.safety.shell_words import SHELLS, Words, plain_commands, split_plain
from code_core.safety.wrappers import WRAPPERS

LONGEST_PREFIX = 12
"""Words of a command that a rule is proposed for."""

# Programs whose second word says what is done.
_WITH_SUBCOMMANDS = frozenset(
    "apt apt-get brew bundle cargo composer conda docker dotnet gem gh git go gradle helm hg kubectl mvn npm pip "
    "pipx pnpm podman poetry rustup svn terraform uv yarn".split()
)
_PLAIN_WORD = re.compile(r"[A-Za-z][\w-]*")
_KEYS = {"pattern", "decision", "outside", "cwd", "justification", "match", "not_match"}


class RuleError(ValueError):
    """A rule is written wrongly, or one of its own examples does not hold."""


class RuleDecision(IntEnum):
    """What a rule says, the strictest last."""

    ALLOW = 1
    PROMPT = 2
    FORBIDDEN = 3


@dataclass(frozen=True, slots=True)
class PrefixRule:
    """A decision about every command that begins with `pattern`; each place has its possible words.

    Attributes:
        outside: what it allows may run outside of the sandbox, too.
        cwd: where it allows it, and below; anywhere when None.
    """

    pattern: tuple[frozenset[str], ...]
    decision: RuleDecision
    justification: str = ""
    outside: bool = False
    cwd: Path | None = None

    def matches(self, words: Sequence[str]) -> bool:
        """Whether `words` begin as the pattern says: as it is written to be allowed, however spelled else."""
        if not words:
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
        semantic_prefix: also allow commands whose words that are no options begin so.
        outside: they may run outside of the sandbox, too.
        cwd: where they may run, and below; anywhere when None.
    """

    command: Words
    match_kind: Literal["exact", "prefix"]
    semantic_prefix: Words = ()
    outside: bool = False
    cwd: Path | None = None

    def matches(self, words: Sequence[str]) -> bool:
        """Whether it stands for `words`."""
        if self.match_kind == "exact":
            return tuple(words) == self.command
        if tuple(words[: len(self.command)]) == self.command:
            return True
        spoken = tuple(word for word in words if not word.startswith("-"))
        return bool(self.semantic_prefix) and spoken[: len(self.semantic_prefix)] == self.semantic_prefix


def strictest(rules: Iterable[PrefixRule], found: Iterable[Words]) -> PrefixRule | None:
    """The rule that forbids or asks for one of the commands `found`; None when none does."""
    commands = list(found)
    hits = [
        rule
        for rule in rules
        if rule.decision is not RuleDecision.ALLOW and any(rule.matches(words) for words in commands)
    ]
    return max(hits, key=lambda rule: rule.decision, default=None)


def is_allowed(
    argv: Sequence[str],
    rules: Iterable[PrefixRule] = (),
    registered: Iterable[RegisteredCommand] = (),
    *,
    outside: bool = False,
    cwd: Path | None = None,
) -> bool:
    """Whether the user has allowed `argv` whole, or each command of its script (beside those that only read).

    Args:
        argv: the command.
        rules: of the settings.
        registered: of the session.
        outside: whether it is to run outside of the sandbox.
        cwd: where it runs, symlinks resolved.
    """
    parts = plain_commands(argv)
    here = None if parts is None or any(words[:1] == ("cd",) for words in parts) else cwd

    def holds(one: PrefixRule | RegisteredCommand) -> bool:
        there = one.cwd is None or (here is not None and here.is_relative_to(one.cwd))
        return there and one.outside >= outside

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
    return any(allowed) and all(
        held or is_known_safe(words) for held, words in zip(allowed, parts, strict=True)
    )


def proposed_prefix(argv: Sequence[str]) -> Words | None:
    """What a rule that allows commands like `argv` might begin with; None where no rule would be narrow enough.

    It is the program and its subcommand, or the whole command for programs that have none.
    """
    commands = plain_commands(argv) or ()
    parts = [words for words in commands if not is_known_safe(words)]
    words = parts[0] if len(parts) == 1 and ("cd",) not in {one[:1] for one in commands} else ()
    if not words:
        return None
    if program(words) in SHELLS | WRAPPERS or len(words) > LONGEST_PREFIX:
        return None
    named = words[0] in _WITH_SUBCOMMANDS and len(words) > 1 and _PLAIN_WORD.fullmatch(words[1])
    prefix = words[:2] if named else words
    return prefix if all(word.isprintable() and word for word in prefix) else None


def parse_rules(table: Mapping[str, Any], source: str) -> tuple[PrefixRule, ...]:
    """The rules of a file; `source` is its name, for messages.

    Raises:
        RuleError: says which rule is wrong and how.
    """
    entries = table.get("rule", [])
    if set(table) - {"rule"} or not isinstance(entries, list):
        raise RuleError(f"{source}: a rules file holds [[rule]] tables and nothing else")
    return tuple(_parse(entry, f"{source}: rule {number}") for number, entry in enumerate(entries, 1))


def render_rule(prefix: Sequence[str], cwd: Path, *, outside: bool = False) -> str:
    """The text to append to a rules file so that commands that begin with `prefix` are allowed in `cwd`."""
    words = ", ".join(_quoted(word) for word in prefix)
    more = "outside = true\n" if outside else ""
    return f'[[rule]]\npattern = [{words}]\ndecision = "allow"\ncwd = {_quoted(str(cwd))}\n{more}'


def _quoted(word: str) -> str:
    escaped = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in word)
    return f'"{escaped}"'


def _parse(entry: Any, where: str) -> PrefixRule:
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise RuleError(f"{where} has other keys than {', '.join(sorted(_KEYS))}")
    pattern = entry.get("pattern")
    if not isinstance(pattern, list) or not pattern:
        raise RuleError(f"{where} needs a pattern: a list of words")
    places = []
    for place in pattern:
        words = [place] if isinstance(place, str) else place
        if (
            not isinstance(words, list)
            or not words
            or not all(isinstance(word, str) and word for word in words)
        ):
            raise RuleError(f"{where}: {place!r} is neither a word nor a list of words")
        places.append(frozenset(words))
    try:
        decision = RuleDecision[str(entry.get("decision", "allow")).upper()]
    except KeyError:
        raise RuleError(
            f"{where}: the decision is allow, prompt or forbidden, not {entry['decision']!r}"
        ) from None
    justification = entry.get("justification", "")
    if not isinstance(justification, str):
        raise RuleError(f"{where}: the justification is not a text")
    outside = entry.get("outside", False)
    if not isinstance(outside, bool) or (outside and decision is not RuleDecision.ALLOW):
        raise RuleError(f"{where}: outside is true or false, and true only with the decision allow")
    cwd = entry.get("cwd")
    if cwd is not None and not (
        isinstance(cwd, str) and cwd.startswith("/") and decision is RuleDecision.ALLOW
    ):
        raise RuleError(f"{where}: cwd is an absolute path, and only for the decision allow")
    folder = None if cwd is None else Path(cwd)
    rule = PrefixRule(tuple(places), decision, justification, outside, folder)
    for key, expected in (("match", True), ("not_match", False)):
        for example in _examples(entry.get(key, []), f"{where}: {key}"):
            if rule.matches(example) is not expected:
                raise RuleError(
                    f"{where} {'does not match' if expected else 'matches'} {' '.join(example)!r}"
                )
    return rule


def _examples(value: Any, where: str) -> list[Words]:
    examples: list[Words] = []
    for example in value if isinstance(value, list) else [value]:
        commands = split_plain(example) if isinstance(example, str) else None
        if commands is None or len(commands) != 1:
            raise RuleError(f"{where} holds {example!r}, which is not one plain command")
        examples.append(commands[0])
    return examples
