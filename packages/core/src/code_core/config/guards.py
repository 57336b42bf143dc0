"""The user's own guards and rules for commands.

Rules are read from `rules/*.toml` in the home directory and `.code/rules/*.toml` in the project.
Project rules can only forbid or ask, because the author of a repository must not decide what runs
without asking.
"""

import fcntl
import os
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.config.layers import Layer, located
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
    """The guards and rules that are checked before a command is approved."""

    guards: "tuple[UserGuard, ...]" = ()
    rules: "tuple[PrefixRule, ...]" = ()
    warnings: tuple[str, ...] = ()


NO_GUARDS = CommandGuards()


@frozen
class BoundedPattern:
    """A regular expression with a time limit of a tenth of a second for all texts of a command."""

    pattern: "regex.Pattern[str]"

    def matches(self, texts: Iterable[str]) -> bool:
        """Whether it matches one of `texts`; also True on a timeout, to be safe."""
        end = time.monotonic() + PATTERN_SECONDS
        try:
            return any(
                self.pattern.search(text, timeout=max(end - time.monotonic(), 0)) is not None
                for text in texts
            )
        except TimeoutError:
            return True


def load_guards(
    table: ConfirmGuardTable, home: Path, project: Checkout, layers: Sequence[Layer] = ()
) -> CommandGuards:
    """Load the guards from the settings in `layers`, and the rules of the home directory and the project.

    Raises:
        ConfigError: a pattern or a rule is invalid.
    """
    warnings: list[str] = []
    rules = (*_rules(home / "rules"), *_project_rules(project, warnings))
    if not (rules or table.patterns or warnings):
        return NO_GUARDS
    return CommandGuards(tuple(_guards(table, layers)), rules, tuple(warnings))


def always_allowed(home: Path) -> Path:
    """Return the file of the rules that the user added by approving commands."""
    return home / "rules" / "always-allowed.toml"


def append_rule(file: Path, rule: str) -> None:
    """Append the text of a rule to a rules file; safe with concurrent writers.

    Raises:
        OSError: the file cannot be read or written.
        ValueError: the file's format does not allow appending a rule.
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


def _guards(table: ConfirmGuardTable, layers: Sequence[Layer]) -> "Iterator[UserGuard]":
    if not table.patterns:
        return
    import regex  # imported here, because it takes 10 ms and few users have patterns

    from code_core.safety.confirm_guard import UserGuard

    for number, entry in enumerate(table.patterns):
        try:
            pattern = regex.compile(entry.regex)
        except regex.error as error:
            where = located(layers, ("confirm_guard", "patterns", number, "regex"))
            raise ConfigError(
                f"{where}: confirm_guard.patterns: {entry.regex!r} is not a regular expression: {error}"
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
    """The project's rules, which cannot allow anything; an unreadable file becomes a warning."""
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
    from code_core.safety.rules_file import (
        RuleError,
        parse_rules,
    )  # imported here, because few users have rules

    try:
        return list(parse_rules(tomllib.loads(data.decode()), str(path)))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except RuleError as error:
        raise ConfigError(str(error)) from error
