"""The user's own guards and rules for commands, read from the settings.

Rules are in `rules/*.toml` of the home directory, and in `.code/rules/*.toml` of the
project. The project's can only forbid or ask: whoever writes a repository must not
decide what runs without asking.
"""

import fcntl
import os
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.config.schema.commands import ConfirmGuardTable
from code_core.errors import ConfigError
from code_core.files.checkout import Checkout, DistrustedFileError, within_seconds
from code_core.frozen import frozen
from code_core.view.visible import visible

if TYPE_CHECKING:
    import regex

    from code_core.safety.confirm_guard import UserGuard
    from code_core.safety.rules import PrefixRule

PATTERN_SECONDS = 0.1


@frozen
class CommandGuards:
    """What stands between a command and its approval."""

    guards: "tuple[UserGuard, ...]" = ()
    rules: "tuple[PrefixRule, ...]" = ()
    warnings: tuple[str, ...] = ()


NO_GUARDS = CommandGuards()


@frozen
class BoundedPattern:
    """A regular expression that gives up after a tenth of a second for all the texts of a command."""

    pattern: "regex.Pattern[str]"

    def matches(self, texts: Iterable[str]) -> bool:
        """Whether it is found in one of `texts`; True as well when the time is up, since then nobody knows."""
        end = time.monotonic() + PATTERN_SECONDS
        try:
            return any(
                self.pattern.search(text, timeout=max(end - time.monotonic(), 0)) is not None
                for text in texts
            )
        except TimeoutError:
            return True


def load_guards(table: ConfirmGuardTable, home: Path, project: Checkout, source: Path) -> CommandGuards:
    """The guards of the settings, which are mostly in `source`, and the rules of the home and of the project.

    Raises:
        ConfigError: a pattern or a rule is wrong.
    """
    warnings: list[str] = []
    rules = (*_rules(home / "rules"), *_project_rules(project, warnings))
    if not (rules or table.patterns or warnings):
        return NO_GUARDS
    return CommandGuards(tuple(_guards(table, source)), rules, tuple(warnings))


def always_allowed(home: Path) -> Path:
    """The file of the rules that the user has added by an approval."""
    return home / "rules" / "always-allowed.toml"


def append_rule(file: Path, rule: str) -> None:
    """Add the text of a rule to a rules file; others may do so at the same time.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it does not take another rule, because what it holds is written otherwise.
    """
    from code_core.safety.rules_file import parse_rules

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    with os.fdopen(os.open(file, flags, 0o600), "r+b", buffering=0) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        before = opened.read().decode()
        text = f"\n{rule}" if before else rule
        parse_rules(tomllib.loads(before + text), str(file))
        opened.write(text.encode())


def _guards(table: ConfirmGuardTable, source: Path) -> "Iterator[UserGuard]":
    if not table.patterns:
        return
    import regex  # here, because most people have no patterns and it takes 10 ms

    from code_core.safety.confirm_guard import UserGuard

    for entry in table.patterns:
        try:
            pattern = regex.compile(entry.regex)
        except regex.error as error:
            raise ConfigError(
                f"{source}: confirm_guard.patterns: {entry.regex!r} is not a regular expression: {error}"
            ) from error
        yield UserGuard(BoundedPattern(pattern), entry.message or f"it matches {entry.regex}")


def _rules(folder: Path) -> "Iterator[PrefixRule]":
    for path in sorted(folder.glob("*.toml")):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        yield from _parsed(path, data)


def _project_rules(project: Checkout, warnings: list[str]) -> "list[PrefixRule]":
    """The rules of the project that do not allow anything; a file that is not read becomes a warning."""
    folder = project.root / ".code" / "rules"
    texts: dict[Path, bytes] = {}

    def read() -> None:
        for path in (folder / name for name in project.names(folder) if name.endswith(".toml")):
            try:
                data = project.read(path)
            except DistrustedFileError as error:
                warnings.append(visible(str(error)))
            else:
                texts[path] = data or b""

    try:
        within_seconds(str(folder), read)
    except DistrustedFileError as error:
        warnings.append(visible(str(error)))
    if not texts:
        return []
    from code_core.safety.rules import RuleDecision

    rules = [rule for path, data in texts.items() for rule in _parsed(path, data)]
    return [rule for rule in rules if rule.decision is not RuleDecision.ALLOW]


def _parsed(path: Path, data: bytes) -> "list[PrefixRule]":
    from code_core.safety.rules_file import RuleError, parse_rules  # here, because most people have no rules

    try:
        return list(parse_rules(tomllib.loads(data.decode()), str(path)))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except RuleError as error:
        raise ConfigError(str(error)) from error
