"""Rules files: TOML with `[[rule]]` tables.

[[rule]]
pattern = ["git", ["push", "fetch"]]   # words; a list stands for any one of its words
decision = "prompt"                    # allow, prompt or forbidden
exact = false                          # whether it allows only the words of the pattern, without further ones
outside = false                        # whether an allowed command may also run outside the sandbox
cwd = "/home/me/project"               # where the command is allowed, including subdirectories
files = { "/home/me/project/x.sh" = "9f86d0…" }   # required contents of files (SHA-256)
justification = "it talks to the remote"
match = ["git push origin"]            # checked when the file is read
not_match = ["git status"]
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.rules import PrefixRule, RuleDecision
from code_core.safety.shell_words import Words, split_plain

_KEYS = frozenset(
    {"pattern", "decision", "exact", "outside", "cwd", "files", "justification", "match", "not_match"}
)
_SHA256 = lazy_pattern(r"[0-9a-f]{64}")


class RuleError(ValueError):
    """A rule is invalid, or contradicts one of its own examples."""


def parse_rules(table: Mapping[str, Any], source: str) -> tuple[PrefixRule, ...]:
    """Parse the rules of a file; `source` is its name, for messages.

    Raises:
        RuleError: says which rule is invalid, and why.
    """
    entries = table.get("rule", [])
    if set(table) - {"rule"} or not isinstance(entries, list):
        raise RuleError(f"{source}: a rules file may contain only [[rule]] tables")
    return tuple(_parse(entry, f"{source}: rule {number}") for number, entry in enumerate(entries, 1))


def render_rule(rule: PrefixRule) -> str:
    """Return the text to append to a rules file for a rule that allows, with one word at each position."""
    words = ", ".join(_quoted(word) for position in rule.pattern for word in position)
    lines = [f"pattern = [{words}]", 'decision = "allow"']
    if rule.exact:
        lines.append("exact = true")
    if rule.cwd is not None:
        lines.append(f"cwd = {_quoted(str(rule.cwd))}")
    if rule.outside:
        lines.append("outside = true")
    if rule.files is not None:
        entries = (f"{_quoted(str(path))} = {_quoted(digest)}" for path, digest in sorted(rule.files))
        lines.append(f"files = {{{', '.join(entries)}}}")
    return "\n".join(["[[rule]]", *lines, ""])


def _quoted(word: str) -> str:
    escaped = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in word)
    return f'"{escaped}"'


def _parse(entry: Any, where: str) -> PrefixRule:
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise RuleError(f"{where} has unknown keys; the known ones are {', '.join(sorted(_KEYS))}")
    pattern = entry.get("pattern")
    if not isinstance(pattern, list) or not pattern:
        raise RuleError(f"{where} needs a pattern: a list of words")
    positions = []
    for position in pattern:
        words = [position] if isinstance(position, str) else position
        if (
            not isinstance(words, list)
            or not words
            or not all(isinstance(word, str) and word for word in words)
        ):
            raise RuleError(f"{where}: {position!r} is neither a word nor a list of words")
        positions.append(frozenset(words))
    try:
        decision = RuleDecision[str(entry.get("decision", "allow")).upper()]
    except KeyError:
        raise RuleError(
            f"{where}: the decision must be allow, prompt or forbidden, not {entry['decision']!r}"
        ) from None
    justification = entry.get("justification", "")
    if not isinstance(justification, str):
        raise RuleError(f"{where}: the justification must be a string")
    outside = entry.get("outside", False)
    if not isinstance(outside, bool) or (outside and decision is not RuleDecision.ALLOW):
        raise RuleError(
            f"{where}: outside must be true or false, and can be true only with the decision allow"
        )
    cwd = entry.get("cwd")
    if cwd is not None and not (
        isinstance(cwd, str) and cwd.startswith("/") and decision is RuleDecision.ALLOW
    ):
        raise RuleError(f"{where}: cwd must be an absolute path, and needs the decision allow")
    exact = entry.get("exact", False)
    if not isinstance(exact, bool):
        raise RuleError(f"{where}: exact must be true or false")
    rule = PrefixRule(
        tuple(positions),
        decision,
        justification,
        outside,
        None if cwd is None else Path(cwd),
        exact,
        _files(entry.get("files"), decision, where),
    )
    for key, expected in (("match", True), ("not_match", False)):
        for example in _examples(entry.get(key, []), f"{where}: {key}"):
            if rule.matches(example) is not expected:
                raise RuleError(
                    f"{where} {'does not match' if expected else 'matches'} {' '.join(example)!r}"
                )
    return rule


def _files(value: Any, decision: RuleDecision, where: str) -> frozenset[tuple[Path, str]] | None:
    if value is None:
        return None
    if decision is not RuleDecision.ALLOW or not isinstance(value, dict):
        raise RuleError(
            f"{where}: files must be a table of paths and checksums, and needs the decision allow"
        )
    for path, digest in value.items():
        if not path.startswith("/") or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise RuleError(
                f"{where}: files: {path!r} needs an absolute path and a SHA-256 checksum in hexadecimal"
            )
    return frozenset((Path(path), digest) for path, digest in value.items())


def _examples(value: Any, where: str) -> list[Words]:
    examples: list[Words] = []
    for example in value if isinstance(value, list) else [value]:
        commands = split_plain(example) if isinstance(example, str) else None
        if commands is None or len(commands) != 1:
            raise RuleError(f"{where} contains {example!r}, which is not a single plain command")
        examples.append(commands[0])
    return examples
